import CLinux
import CSystemd
import Glibc
import KVCore

/// What systemd gives to a service and wants to hear from it (sd_listen_fds(3), sd_notify(3),
/// sd_watchdog_enabled(3)). Where no service manager is, nothing is given and telling does nothing.
package enum ServiceManager {
  /// A passed socket and its `FileDescriptorName=`.
  package struct PassedSocket: Sendable {
    /// The name; `unknown` where the unit gives none.
    package let name: String
    fileprivate let number: CInt

    /// The socket, made non-blocking, or nil where it is no listening stream socket. To be called once.
    package func takeListening() throws(SystemError) -> Socket? {
      let socket = Socket(owning: FileDescriptor(owning: number))
      guard sd_is_socket(number, AF_UNSPEC, CInt(CLINUX_STREAM), 1) > 0 else { return nil }
      _ = try systemCall("fcntl") { clinux_set_nonblocking(number) }
      return socket
    }
  }

  /// The sockets that were passed to this process. The environment that says so is unset, so they come once.
  package static func passedSockets() throws(SystemError) -> [PassedSocket] {
    var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    let count = sd_listen_fds_with_names(1, &names)
    guard count >= 0 else { throw SystemError(call: "sd_listen_fds", code: -count) }
    guard let names else { return [] }
    defer { free(names) }
    return (0..<Int(count)).map { index in
      let name = names[index].map { String(cString: $0) } ?? "unknown"
      free(names[index])
      return PassedSocket(name: name, number: SD_LISTEN_FDS_START + CInt(index))
    }
  }

  /// Tells the service manager something, one `NAME=value` a line. What does not arrive cannot be helped.
  package static func notify(_ assignments: String...) {
    _ = sd_notify(0, assignments.joined(separator: "\n"))
  }

  /// The time of CLOCK_MONOTONIC in microseconds, which `RELOADING=1` must carry.
  package static var monotonicMicroseconds: Int64 { Instant.now.nanoseconds / 1000 }

  /// How often the service manager must hear `WATCHDOG=1` at the least, or nil where it does not care.
  package static func watchdogTimeout() -> Duration? {
    var microseconds: UInt64 = 0
    guard sd_watchdog_enabled(0, &microseconds) > 0 else { return nil }
    return .microseconds(Int64(clamping: microseconds))
  }
}

/// The system journal (sd_journal_sendv(3)).
package enum Journal {
  /// The most fields an entry has here; what is beyond is left out.
  private static let fieldsMax = 64

  /// Whether standard error goes to the journal, so that fields can be sent there instead (systemd.exec(5),
  /// `JOURNAL_STREAM`).
  package static var isStandardError: Bool {
    guard let stream = getenv("JOURNAL_STREAM") else { return false }
    var status = stat()
    guard fstat(STDERR_FILENO, &status) == 0 else { return false }
    return String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
  }

  /// Sends an entry of `NAME=value` fields; false where the journal cannot take it.
  package static func send(_ fields: [String]) -> Bool {
    let fields = fields.prefix(fieldsMax).map { Array($0.utf8) }
    let total = fields.reduce(0) { $0 + $1.count }
    return withUnsafeTemporaryAllocation(byteCount: max(total, 1), alignment: 1) { bytes in
      var vectors: [iovec] = []
      var offset = 0
      for field in fields {
        let window = UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<(offset + field.count)])
        window.copyBytes(from: field)
        vectors.append(iovec(iov_base: window.baseAddress, iov_len: field.count))
        offset += field.count
      }
      return sd_journal_sendv(vectors, CInt(vectors.count)) == 0
    }
  }
}
