import KVCore
import KVDialect
import KVLinux
import KVWire
import Logging

/// Takes connections from a listening socket and gives each a task of its own.
struct Listener: Sendable {
  /// How long accepting pauses when the process or the system has no descriptor left. Connections wait in the
  /// kernel's queue meanwhile, and those that end give theirs back.
  private static let pause = Duration.milliseconds(100)

  /// How many connections are accepted before others have a turn.
  private static let acceptedPerTurnMax = 16

  let listening: ListeningSocket
  let current: CurrentCluster
  let admission: Admission
  let metrics: Metrics
  /// How many connections there may be, by the configuration in force.
  let limits: @Sendable (Cluster) -> Admission.Limits
  let threads: IOExecutor
  let logger: Logger
  /// Serves a connection to its end.
  let serve: @Sendable (consuming Stream, consuming Place) async -> Void

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
      // Whoever waits behind so many is accepted after others had a turn; and a node that stops accepts no more.
      for _ in 0..<Self.acceptedPerTurnMax {
        guard let connection = try socket.accept() else { break }
        admit(connection, into: &connections)
      }
    } catch {
      return await pause(for: error)
    }
    switch await socket.waitForConnection() {
    case .ready: return true
    case .failed(let error): return await pause(for: error)
    case .timedOut, .interrupted, .cancelled: return false
    }
  }

  private func pause(for error: SystemError) async -> Bool {
    logger.warning(
      "cannot accept a connection; accepting pauses", metadata: ["socket": "\(listening.name)", "reason": "\(error)"])
    return await IOExecutor.current.wait(until: .after(Self.pause), interruptible: true) == .timedOut
  }

  private func admit(_ socket: consuming Socket, into connections: inout DiscardingTaskGroup) {
    let cluster = current.value
    if listening.role == .client, let address = socket.peer?.address,
      !cluster.configuration.access.permitsConnection(from: address)
    {
      logger.info("connection refused: \(address) is not allowed (AllowedClients=)")
      metrics.refuseConnection(.notAllowed)
      return
    }
    guard let entered = admission.enter(limits(cluster)) else {
      metrics.refuseConnection(.tooMany)
      return Self.drop(socket, cluster.configuration.nodeName)
    }
    let place = Handoff(entered)
    let stream = Handoff(Stream(socket, idleTimeout: cluster.limits.idleTimeout))
    connections.addTask(executorPreference: threads) {
      await serve(stream.take(), place.take())
    }
  }

  private static func drop(_ socket: consuming Socket, _ nodeName: String) {
    socket.setResetOnClose(false)
    // A connection that cannot even take a line is closed without it.
    ClassicDialect.encode(.failure(.tooManyConnections(at: nodeName))).withBytes { line in
      _ = try? socket.send(line)
    }
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
