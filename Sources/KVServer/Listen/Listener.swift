import KVDialect
import KVLinux
import KVWire
import Logging

/// Takes connections from a listening socket and gives each a task of its own.
struct Listener: Sendable {
  /// How long accepting pauses when the process or the system has no descriptor left. Connections wait in the
  /// kernel's queue meanwhile, and those that end give theirs back.
  private static let pause = Duration.milliseconds(100)

  /// Monitors keep few connections; a stuck one must not take descriptors from clients.
  private static let adminConnectionsMax = 32

  let node: Node
  let listening: ListeningSocket
  private var name: String { listening.name }

  /// Accepts until the node stops, then waits for the connections that are being served.
  func run() async {
    await withDiscardingTaskGroup { connections in
      await acceptAll(into: &connections)
    }
  }

  /// Closes the socket when it returns, so that newcomers are refused by the kernel at once, or wait in the
  /// queue where somebody else, as systemd does, holds the socket too.
  private func acceptAll(into connections: inout DiscardingTaskGroup) async {
    let socket = listening.take()
    // Connections inherit it. To a classic client, nothing and then an end is the success of a DEL, and a value of no
    // bytes: so until a request is answered, whatever ends its connection, were it this process's death, resets it.
    socket.setResetOnClose(listening.role == .client)
    while await accept(from: socket, into: &connections) {}
  }

  /// Accepts what waits, then waits for more; false once the node stops.
  private func accept(
    from socket: borrowing Socket, into connections: inout DiscardingTaskGroup
  ) async -> Bool {
    do throws(SystemError) {
      while let connection = try socket.accept() { admit(connection, into: &connections) }
    } catch {
      node.logger.warning(
        "cannot accept a connection; accepting pauses", metadata: ["socket": "\(name)", "reason": "\(error)"])
      return await IOExecutor.current.wait(until: .after(Self.pause), interruptible: true) == .timedOut
    }
    return await socket.waitForConnection() == .ready
  }

  private func admit(_ socket: consuming Socket, into connections: inout DiscardingTaskGroup) {
    let configuration = node.cluster.configuration
    let limits = configuration.limits
    if listening.role == .client, let address = socket.peer?.address,
      !configuration.access.permitsConnection(from: address)
    {
      node.logger.info("connection refused: \(address) is not allowed (AllowedClients=)")
      return
    }
    let admission = listening.role == .client ? node.admission : node.adminAdmission
    let verdict = admission.enter(
      servedMax: listening.role == .client ? min(limits.connectionsMax, node.connectionsMax) : Self.adminConnectionsMax)
    guard verdict != .drop else { return Self.drop(socket) }
    let stream = Handoff(Stream(socket, idleTimeout: limits.idleTimeout))
    connections.addTask(executorPreference: node.network) {
      switch listening.role {
      case .client: await Serve(node: node).connection(stream.take(), refusing: verdict == .refuse)
      case .admin: await AdminConnection(node: node).serve(stream.take())
      }
      admission.leave(verdict)
    }
  }

  private static func drop(_ socket: consuming Socket) {
    socket.setResetOnClose(false)
    let line = ClassicDialect.encode(.failure(.tooManyConnections))
    // A connection that cannot even take a line is closed without it.
    _ = try? socket.send(line.span.bytes)
  }
}

/// A socket to be served, on its way to the listener that will own it.
package final class ListeningSocket: Sendable {
  /// Who is expected to connect.
  package enum Role: Sendable {
    /// Clients and other nodes.
    case client
    /// Monitoring, and people on this host.
    case admin
  }

  /// Who is expected to connect.
  package let role: Role
  /// What it listens on, for people.
  package let name: String
  private let socket: Handoff<Socket>

  /// A socket that has been bound, by this process or by the service manager.
  package init(_ role: Role, name: String, socket: consuming Socket) {
    self.role = role
    self.name = name
    self.socket = Handoff(socket)
  }

  func take() -> Socket { socket.take() }
}
