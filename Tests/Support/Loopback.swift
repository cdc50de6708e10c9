import KVLinux
import KVWire

/// Real TCP connections over 127.0.0.1. All of it runs on an `IOExecutor`.
package enum Loopback {
  package static let anyPort = SocketAddress(.v4(0x7F00_0001), port: 0)

  package static func listener(backlog: Int32 = 16) throws(SystemError) -> Socket {
    try Socket.listening(on: anyPort, backlog: backlog)
  }

  /// Where a listener of `listener` listens.
  package static func address(of listener: borrowing Socket) -> SocketAddress {
    let port = listener.localAddress.split(separator: ":").last.flatMap { UInt16($0) }
    guard let port else { preconditionFailure("a listener without a port") }
    return SocketAddress(.v4(0x7F00_0001), port: port)
  }

  /// An address at which nothing listens.
  package static func refusingAddress() throws(SystemError) -> SocketAddress { address(of: try listener()) }

  /// Both ends of a connection.
  package static func pair() async throws -> (near: Handoff<Socket>, far: Handoff<Socket>) {
    let listener = try listener()
    let near = try Socket.connecting(to: address(of: listener))
    while true {
      try await listener.waitForConnection().check()
      guard let far = try listener.accept() else { continue }
      try await IOExecutor.current.wait(for: .writable(near.descriptor), until: nil).check()
      return (Handoff(near), Handoff(far))
    }
  }

  /// Both ends of a connection, each ready to be awaited.
  package static func streams(
    idleTimeout: Duration = .seconds(60)
  ) async throws -> (near: Handoff<Stream>, far: Handoff<Stream>) {
    let pair = try await pair()
    return (
      Handoff(Stream(pair.near.take(), idleTimeout: idleTimeout)),
      Handoff(Stream(pair.far.take(), idleTimeout: idleTimeout))
    )
  }

  /// Bytes that repeat at no power of two, so that a piece that is lost, doubled or moved shows.
  package static func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(($0 &* 7 &+ $0 / 256) % 251) } }

  /// Sends until the connection takes nothing more, and says how many bytes it took.
  package static func stuff(_ socket: borrowing Socket) throws(SystemError) -> Int {
    let piece = [UInt8](repeating: 0x78, count: 65_536)
    var byteCount = 0
    while case .moved(let count) = try socket.send(piece.span.bytes) { byteCount += count }
    return byteCount
  }
}
