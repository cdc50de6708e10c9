import CMD
import CXXHash
import KVCore

/// XXH3-128 over bytes as they come (libxxhash).
package struct Checksum: ~Copyable {
  private let state: OpaquePointer

  /// The checksum of nothing yet.
  package init() {
    guard let state = XXH3_createState() else { preconditionFailure("out of memory") }
    self.state = state
    XXH3_128bits_reset(state)
  }

  deinit { XXH3_freeState(state) }

  /// Takes further bytes in.
  package func update(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { buffer in
      cxxhash_update(state, buffer.baseAddress, buffer.count)
    }
  }

  /// The checksum of all bytes so far.
  package var value: ValueChecksum {
    let digest = XXH3_128bits_digest(state)
    return ValueChecksum(high: digest.high64, low: digest.low64)
  }
}

/// MD5 (RFC 1321; libmd), for placement alone: it spreads keys and protects nothing.
package enum MD5 {
  /// The 16 bytes of the digest.
  package static func digest(_ bytes: [UInt8]) -> [UInt8] {
    var context = MD5_CTX()
    MD5Init(&context)
    MD5Update(&context, bytes, bytes.count)
    var digest = [UInt8](repeating: 0, count: Int(MD5_DIGEST_LENGTH))
    MD5Final(&digest, &context)
    return digest
  }
}

extension RequestToken {
  /// Half of a checksum tells the few requests about one key apart; whoever contrives two that are alike finds out when he
  /// sends another value, or gets what he sent.
  package init(_ key: IdempotencyKey) {
    let checksum = Checksum()
    Array(key.text.utf8).withBytes { checksum.update($0) }
    self.init(number: checksum.value.low)
  }
}

extension Key {
  /// The key's slot: the first two bytes of MD5(key + LF).
  package var slot: Slot {
    let digest = MD5.digest(bytes + [UInt8(ascii: "\n")])
    return Slot(digestByte0: digest[0], digestByte1: digest[1])
  }
}
