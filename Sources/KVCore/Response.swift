/// What a request came to, before a dialect puts it into bytes.
public enum Response: Equatable, Sendable {
  /// The value is durable on its owner.
  case stored(Key, checksum: ValueChecksum?)
  /// The value's bytes follow.
  case value(ValueHead)
  /// The key has no value any more; `existed` tells whether it had one.
  case deleted(existed: Bool)
  /// Nothing was done, or not all of it.
  case failure(Failure)
}

/// What is told of a value ahead of its bytes.
public struct ValueHead: Equatable, Sendable {
  /// How many bytes follow.
  public let byteCount: Int
  /// The value's checksum, where it was recorded.
  public let checksum: ValueChecksum?

  /// The head of a value about to be sent.
  public init(byteCount: Int, checksum: ValueChecksum?) {
    self.byteCount = byteCount
    self.checksum = checksum
  }
}
