import KVHTTP

/// What a value is stored under: 1 to 1024 bytes, any bytes, opaque to every node.
package struct Key: Hashable, Sendable {
  /// The longest key, in bytes.
  package static let bytesMax = 1024

  /// The key's bytes, as the client gave them.
  package let bytes: [UInt8]

  /// Takes the bytes as they are.
  package init(_ bytes: some Collection<UInt8>) throws(KeyError) {
    guard !bytes.isEmpty else { throw .empty }
    guard bytes.count <= Self.bytesMax else { throw .tooLong(byteCount: bytes.count) }
    self.bytes = Array(bytes)
  }
}

/// Why some bytes are no key. Every case is the client's mistake.
package enum KeyError: Error, Equatable, CustomStringConvertible {
  case empty
  case tooLong(byteCount: Int)

  /// What is wrong with the bytes.
  package var description: String {
    switch self {
    case .empty: "the key is empty"
    case .tooLong(let byteCount): "the key has \(byteCount) bytes, the most is \(Key.bytesMax)"
    }
  }
}

extension Key: CustomStringConvertible {
  /// The key as it may stand in a log line or an error: well-formed UTF-8 stays, control characters and
  /// other bytes become `\xNN`, so that no key can forge a second line or drive a terminal.
  package var description: String { PrintableText.escape(bytes) }
}

/// Where a key falls: the first two bytes, big-endian, of MD5(key + LF), 0 through 65535.
package struct Slot: Hashable, Comparable, Sendable {
  /// How many slots there are.
  package static let count = 65_536

  /// The slot's number.
  package let number: Int

  /// Reads the slot from the first two bytes of a digest.
  package init(digestByte0: UInt8, digestByte1: UInt8) {
    number = Int(digestByte0) << 8 | Int(digestByte1)
  }

  /// The slot of that number.
  package init(number: Int) {
    precondition((0..<Self.count).contains(number), "slots are numbered from 0 to \(Self.count - 1)")
    self.number = number
  }

  /// By number.
  package static func < (left: Slot, right: Slot) -> Bool { left.number < right.number }
}
