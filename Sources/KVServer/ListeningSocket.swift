import KVLinux

/// A socket to be served, on its way to the listener that will own it.
public final class ListeningSocket: Sendable {
  /// Who is expected to connect.
  public enum Role: Sendable {
    /// Clients and other nodes.
    case client
    /// Monitoring, and people on this host.
    case admin
  }

  /// Who is expected to connect.
  public let role: Role
  /// What it listens on, for people.
  public let name: String
  private let socket: Handoff<Socket>

  /// A socket that has been bound, by this process or by the service manager.
  public init(_ role: Role, name: String, socket: consuming Socket) {
    self.role = role
    self.name = name
    self.socket = Handoff(socket)
  }

  func take() -> Socket { socket.take() }
}
