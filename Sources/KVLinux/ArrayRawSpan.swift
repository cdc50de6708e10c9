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

extension MutableRawSpan {
  /// Copies as many of the bytes as fit to the beginning, and returns how many those are.
  public mutating func copy(_ bytes: RawSpan) -> Int {
    let count = min(byteCount, bytes.byteCount)
    withUnsafeMutableBytes { target in
      bytes.withUnsafeBytes { target.copyMemory(from: .init(rebasing: $0.prefix(count))) }
    }
    return count
  }
}
