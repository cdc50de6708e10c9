import KVLinux

/// A socket to be served, on its way to the listener that will own it.
public final class ListeningSocket: Sendable {
  /// What it listens on, for people.
  public let name: String
  private let socket: Handoff<Socket>

  /// A socket that has been bound, by this process or by the service manager.
  public init(name: String, socket: consuming Socket) {
    self.name = name
    self.socket = Handoff(socket)
  }

  func take() -> Socket { socket.take() }
}
