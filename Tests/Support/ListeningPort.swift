import Glibc
import KVLinux
import KVWire
import Testing

/// A socket of the test's own that listens on a port the kernel chose.
@frozen package struct ListeningPort: ~Copyable, Sendable {
  package let socket: Socket
  package let number: UInt16

  package init() throws {
    socket = try Socket.listening(on: SocketAddress(.v4(0x7f00_0001), port: 0), backlog: 64)
    number = socket.localAddress.split(separator: ":").last.flatMap { UInt16($0) } ?? 0
    precondition(number > 0, "a listening socket has a port")
  }

  /// The next connection.
  package func accept() async throws -> Wire {
    while true {
      if let connection = try socket.accept() { return Wire(Stream(connection, idleTimeout: .seconds(30))) }
      try await socket.waitForConnection().check()
    }
  }

  /// Whether nobody is waiting to be accepted.
  package func isIdle() throws -> Bool { try socket.accept() == nil }
}

/// A connection with both of its ends.
@frozen package struct WirePair: ~Copyable, Sendable {
  package var near: Wire
  package var far: Wire

  /// A new connection through a port that nobody else uses meanwhile.
  package init(_ port: borrowing ListeningPort) async throws {
    let near = try await Wire.connect(port.number)
    let far = try await port.accept()
    self.near = near
    self.far = far
  }

  /// Takes the pair apart into what tasks can take over.
  package consuming func split() -> (near: Handoff<Wire>, far: Handoff<Wire>) { (Handoff(near), Handoff(far)) }
}
