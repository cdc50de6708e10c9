/// The `[Limits]` section: how much, and how long, one node puts up with.
public struct Limits: Sendable, Equatable {
  /// Client and peer connections served at once, 1 to 1,000,000.
  public var connectionsMax = 1024
  /// The longest value in bytes that a PUT may store; `nil` for no limit.
  public var valueBytesMax: Int?
  /// How long a client may take to send the first line, or the head, of a request.
  public var headerTimeout = Duration.seconds(10)
  /// How long a connection may move no byte.
  public var idleTimeout = Duration.seconds(60)
  /// How long connecting to a peer may take.
  public var connectTimeout = Duration.seconds(3)
  /// How long requests under way may go on once the node was told to stop.
  public var drainTimeout = Duration.seconds(90)

  /// The defaults.
  public init() {}

  /// Reads a number of connections.
  static func parseConnections(_ text: String) throws(SettingError) -> Int {
    guard let count = Int(decimalDigits: text), (1...1_000_000).contains(count) else {
      throw SettingError(expected: "a number of connections from 1 to 1000000")
    }
    return count
  }

  /// Reads the longest size of a value; 0 stands for no limit.
  static func parseValueBytes(_ text: String) throws(SettingError) -> Int? {
    let bytes = try ByteSize(parsing: text).bytes
    return bytes == 0 ? nil : bytes
  }

  /// Reads a timeout. Neither none nor one that outlasts a day is what anyone wants of a connection.
  static func parseTimeout(_ text: String) throws(SettingError) -> Duration {
    let duration = try TimeSpan(parsing: text).duration
    guard (Duration.milliseconds(1)...Duration.seconds(86_400)).contains(duration) else {
      throw SettingError(expected: "a time span from 1ms to 24h")
    }
    return duration
  }
}
