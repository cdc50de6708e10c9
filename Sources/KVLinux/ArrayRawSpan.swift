extension Array<UInt8> {
  /// The bytes, copied.
  public init(copying bytes: RawSpan) {
    self = bytes.withUnsafeBytes { Array($0) }
  }

  /// Adds a copy of the bytes at the end.
  public mutating func append(copying bytes: RawSpan) {
    bytes.withUnsafeBytes { append(contentsOf: $0) }
  }
}
