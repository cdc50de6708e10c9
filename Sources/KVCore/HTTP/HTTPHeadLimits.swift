/// What a peer may make us hold or count before we give up on it.
public enum HTTPHeadLimits {
  /// The longest head in bytes, from its first byte through the blank line; also the longest trailer section.
  public static let headBytesMax = 16_384

  /// The most fields in one head or one trailer section.
  public static let fieldsMax = 100

  /// How many empty lines before a request line are forgiven (RFC 9112 section 2.2).
  public static let emptyLinesMax = 2

  /// The longest chunk-size line in bytes, extensions and CRLF included.
  public static let chunkLineBytesMax = 256

  /// The longest body, or chunk, that a peer may announce: 1 EiB.
  ///
  /// No filesystem of ours holds more, and adding a few such numbers cannot overflow an `Int`.
  public static let bodyBytesMax = 1 << 60
}
