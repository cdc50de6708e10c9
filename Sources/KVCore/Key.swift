/// What a value is stored under: 1 to 1024 bytes, any bytes, opaque to every node.
public struct Key: Hashable, Sendable {
  /// The longest key, in bytes.
  public static let bytesMax = 1024

  /// The key's bytes, as the client gave them.
  public let bytes: [UInt8]

  /// Takes the bytes as they are.
  public init(_ bytes: some Collection<UInt8>) throws(KeyError) {
    guard !bytes.isEmpty else { throw .empty }
    guard bytes.count <= Self.bytesMax else { throw .tooLong(byteCount: bytes.count) }
    self.bytes = Array(bytes)
  }
}

/// Why some bytes are no key. Every case is the client's mistake.
public enum KeyError: Error, Equatable, CustomStringConvertible {
  case empty
  case tooLong(byteCount: Int)

  /// What is wrong with the bytes.
  public var description: String {
    switch self {
    case .empty: "the key is empty"
    case .tooLong(let byteCount): "the key has \(byteCount) bytes, the most is \(Key.bytesMax)"
    }
  }
}

extension Key: CustomStringConvertible {
  /// The key as it may stand in a log line or an error: well-formed UTF-8 stays, control characters and
  /// other bytes become `\xNN`, so that no key can forge a second line or drive a terminal.
  public var description: String { PrintableText.escape(bytes) }
}
