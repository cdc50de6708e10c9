import CLinux
import Glibc

/// A pipe through which bytes go from one socket to another without being copied (pipe(7), splice(2)).
///
/// It is filled only when empty. So a fill that would block says that the socket has nothing: a pipe that holds
/// bytes can be full long before its size is reached, since what arrives takes a slot a fragment.
package struct Pipe: ~Copyable, Sendable {
  /// What is asked for. More gains nothing, as measured, and an unprivileged user may not set more
  /// (/proc/sys/fs/pipe-max-size).
  package static let wantedBytes = 1 << 20
  /// Below this, splicing costs more than copying does.
  package static let usefulBytes = 512 << 10

  /// How many bytes it holds now.
  package private(set) var byteCount = 0
  /// How many it could hold.
  package let capacityBytes: Int
  private let readEnd: FileDescriptor
  private let writeEnd: FileDescriptor

  /// A pipe of a useful size, or nil where the user's pipes have used up what they may
  /// (/proc/sys/fs/pipe-user-pages-soft).
  package static func make() throws(SystemError) -> Pipe? {
    var ends: (CInt, CInt) = (-1, -1)
    _ = try systemCall("pipe2") {
      withUnsafeMutableBytes(of: &ends) { clinux_pipe($0.assumingMemoryBound(to: CInt.self).baseAddress) }
    }
    let readEnd = FileDescriptor(owning: ends.0)
    let writeEnd = FileDescriptor(owning: ends.1)
    let capacity = Int(clinux_set_pipe_size(readEnd.number, CInt(wantedBytes)))
    guard capacity >= usefulBytes else { return nil }
    return Pipe(capacityBytes: capacity, readEnd: readEnd, writeEnd: writeEnd)
  }

  private init(capacityBytes: Int, readEnd: consuming FileDescriptor, writeEnd: consuming FileDescriptor) {
    self.capacityBytes = capacityBytes
    self.readEnd = readEnd
    self.writeEnd = writeEnd
  }

  /// Moves what has arrived on the socket, at most so many bytes, into the empty pipe.
  package mutating func fill(from socket: borrowing Socket, bytesMax: Int) throws(SystemError) -> TransferResult {
    precondition(byteCount == 0, "a pipe is filled only when it is empty")
    let result = try transferCall("splice") {
      clinux_splice(socket.descriptor.number, writeEnd.number, min(bytesMax, capacityBytes), 0)
    }
    if case .moved(let count) = result { byteCount = count }
    return result
  }

  /// Moves bytes from the pipe to the socket; `more` says that others follow at once.
  package mutating func drain(to socket: borrowing Socket, more: Bool) throws(SystemError) -> TransferResult {
    let result = try transferCall("splice") {
      clinux_splice(readEnd.number, socket.descriptor.number, byteCount, more ? 1 : 0)
    }
    if case .moved(let count) = result { byteCount -= count }
    return result
  }

  /// Puts what another pipe holds into this empty one too, without copying (tee(2)); false where it does not all fit, and
  /// then there is no use for what this one holds.
  package mutating func duplicate(_ other: borrowing Pipe) throws(SystemError) -> Bool {
    precondition(byteCount == 0, "a pipe is filled only when it is empty")
    let result = try transferCall("tee") {
      clinux_tee(other.readEnd.number, writeEnd.number, other.byteCount)
    }
    if case .moved(let count) = result { byteCount = count }
    return byteCount == other.byteCount
  }

  /// Moves all bytes out of the pipe into the buffer, which has room for them, and returns how many those are.
  package mutating func empty(into bytes: inout MutableRawSpan) throws(SystemError) -> Int {
    let held = byteCount
    precondition(held <= bytes.byteCount, "a pipe holds more than the buffer has room for")
    let result = try bytes.withUnsafeMutableBytes { buffer throws(SystemError) in
      try transferCall("read") { read(readEnd.number, buffer.baseAddress, held) }
    }
    // A pipe gives all that it holds at once (pipe(7)).
    precondition(result == .moved(held), "a pipe holds less than was put into it")
    byteCount = 0
    return held
  }
}
