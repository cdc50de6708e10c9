/// What a request came to, before a dialect puts it into bytes.
public enum Response: Equatable, Sendable {
  /// The value is durable on its owner; `created` tells whether the key had none before.
  case stored(Key, checksum: ValueChecksum?, created: Bool)
  /// The value's bytes, or the part asked for, follow, unless only the head was asked for.
  case value(ValueHead)
  /// The client has the value already.
  case notModified(ValueHead)
  /// The value has so many bytes, and none where the client wants some.
  case rangeNotSatisfiable(byteCount: Int)
  /// The key has no value any more; `existed` tells whether it had one.
  case deleted(Key, existed: Bool)
  /// A whole JSON text about the cluster rather than a key.
  case json([UInt8])
  /// Nothing was done, or not all of it.
  case failure(Failure)
}

/// What is told of a value ahead of its bytes.
public struct ValueHead: Equatable, Sendable {
  /// How many bytes the whole value has.
  public let byteCount: Int
  /// The part of it that is sent, or nil for all.
  public var range: Range<Int>?
  /// The value's checksum, where it was recorded.
  public let checksum: ValueChecksum?
  /// When it was committed.
  public let modifiedAt: HTTPDate
  /// What it is said to be.
  public let contentType: ContentType

  /// The head of a value.
  public init(byteCount: Int, checksum: ValueChecksum?, modifiedAt: HTTPDate, contentType: ContentType = .standard) {
    self.byteCount = byteCount
    self.checksum = checksum
    self.modifiedAt = modifiedAt
    self.contentType = contentType
  }

  /// The offsets of what is sent.
  public var offsets: Range<Int> { range ?? 0..<byteCount }

  /// What conditions are compared with.
  public var state: ValueState { ValueState(checksum: checksum, modifiedAt: modifiedAt) }
}
