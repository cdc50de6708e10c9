import KVCore
import KVLinux
import KVServer
import Logging

/// Where the listening sockets come from: the service manager if it passed any, else `Listen=` and `AdminListen=`.
enum Sockets {
  private static let backlog: Int32 = 4096

  static func open(_ configuration: Configuration, _ logger: Logger) throws(SocketsError) -> [ListeningSocket] {
    let passed = try passedSockets()
    return passed.isEmpty ? try bindAll(configuration, logger) : try adopt(passed, logger)
  }

  private static func passedSockets() throws(SocketsError) -> [ServiceManager.PassedSocket] {
    do throws(SystemError) { return try ServiceManager.passedSockets() } catch { throw .passing(error) }
  }

  /// Passed sockets are told apart by name alone: their order differs between hosts and restarts.
  private static func adopt(
    _ passed: [ServiceManager.PassedSocket], _ logger: Logger
  ) throws(SocketsError) -> [ListeningSocket] {
    var sockets: [ListeningSocket] = []
    for entry in passed {
      let socket: Socket?
      do throws(SystemError) { socket = try entry.takeListening() } catch { throw .passing(error) }
      guard let role = role(named: entry.name), let socket else {
        logger.warning("a socket from the service manager is not used", metadata: ["name": "\(entry.name)"])
        continue
      }
      sockets.append(
        ListeningSocket(role, name: "\(entry.name)=\(socket.local?.description ?? "unknown")", socket: socket))
    }
    guard sockets.contains(where: { $0.role == .client }) else { throw .noClientSocket }
    return sockets
  }

  private static func role(named name: String) -> ListeningSocket.Role? {
    switch name {
    case "client": .client
    case "admin": .admin
    default: nil
    }
  }

  private static func bindAll(
    _ configuration: Configuration, _ logger: Logger
  ) throws(SocketsError) -> [ListeningSocket] {
    guard !configuration.listen.isEmpty else { throw .nothingToListenOn }
    var sockets: [ListeningSocket] = []
    for address in configuration.listen { sockets.append(try bind(.client, address, "Listen")) }
    do throws(SocketsError) {
      sockets.append(try bind(.admin, configuration.adminListen, "AdminListen"))
    } catch {
      // Several nodes on one host share the default, and only one can have it. An address that somebody chose
      // is another matter.
      guard configuration.adminListen == Configuration.adminListenDefault else { throw error }
      logger.warning("the admin port is not served: \(error)")
    }
    return sockets
  }

  private static func bind(
    _ role: ListeningSocket.Role, _ address: ListenAddress, _ setting: String
  ) throws(SocketsError) -> ListeningSocket {
    do throws(SystemError) {
      return ListeningSocket(role, name: address.description, socket: try listening(on: address))
    } catch {
      throw .binding(address, setting: setting, error)
    }
  }

  /// A port alone means both families; a kernel without IPv6 has only the one.
  private static func listening(on address: ListenAddress) throws(SystemError) -> Socket {
    do throws(SystemError) {
      return try Socket.listening(on: SocketAddress(address), backlog: backlog)
    } catch {
      guard case .port(let port) = address, error.isUnsupportedFamily else { throw error }
      return try Socket.listening(on: SocketAddress(.v4(0), port: port), backlog: backlog)
    }
  }
}

/// Why there is nothing to listen on. Each is one line for whoever starts the node.
enum SocketsError: Error, CustomStringConvertible {
  case binding(ListenAddress, setting: String, SystemError)
  case passing(SystemError)
  case noClientSocket
  case nothingToListenOn

  /// Whether only an administrator can mend it. A port may become free, and an address come.
  var needsAdministrator: Bool {
    switch self {
    case .binding(_, _, let error): error.isForAdministrator
    case .passing: false
    case .noClientSocket, .nothingToListenOn: true
    }
  }

  var description: String {
    switch self {
    case .binding(let address, let setting, let error): "cannot listen on \(address) (\(setting)=): \(error.reason)"
    case .passing(let error): "the sockets from the service manager: \(error)"
    case .noClientSocket: "the service manager passed sockets, but none named 'client' (FileDescriptorName=)"
    case .nothingToListenOn: "Listen= is empty and the service manager passed no socket"
    }
  }
}
