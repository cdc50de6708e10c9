import CCrypto
import KVCore
import KVHTTP

/// The digests that a client stated of a value, computed over its bytes as they come.
package struct BodyDigests: ~Copyable {
  private var digests: [BodyDigest]

  /// The digests of nothing yet.
  package init(_ stated: [StatedDigest]) { digests = stated.map { BodyDigest($0) } }

  /// Takes further bytes in.
  package mutating func update(_ bytes: RawSpan) {
    for digest in digests { digest.update(bytes) }
  }

  /// Fails unless the bytes so far have all the digests.
  package func check(_ request: ValueRequest) throws(Failure) {
    for digest in digests {
      do throws(HTTPSyntaxError) { try digest.check() } catch {
        throw Failure(.badRequest, "\(request.subject): \(error.reason)")
      }
    }
  }
}

/// One of them.
package final class BodyDigest {
  private let stated: StatedDigest
  /// Nil for the one that libcrypto does not have.
  private let context: OpaquePointer?
  private var sum = CRC32C()

  /// The digest of nothing yet.
  package init(_ stated: StatedDigest) {
    self.stated = stated
    let method: OpaquePointer?
    switch stated.algorithm {
    case .sha256: method = EVP_sha256()
    case .sha512: method = EVP_sha512()
    case .md5: method = EVP_md5()
    case .crc32c: method = nil
    }
    guard let method else {
      context = nil
      return
    }
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, method, nil) == 1 else {
      preconditionFailure("libcrypto has no \(stated.algorithm.rawValue), or no memory")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  /// Takes further bytes in.
  package func update(_ bytes: RawSpan) {
    guard let context else { return sum.update(bytes) }
    bytes.withUnsafeBytes { buffer in
      _ = EVP_DigestUpdate(context, buffer.baseAddress, buffer.count)
    }
  }

  /// Fails unless the bytes so far have the digest that was stated.
  package func check() throws(HTTPSyntaxError) {
    let actual = bytes
    guard actual == stated.bytes else {
      let (came, said) = (Base64.encode(actual), Base64.encode(stated.bytes))
      throw .bad("\(stated.field): the \(stated.algorithm.rawValue) of what came is \(came), not \(said)")
    }
  }

  private var bytes: [UInt8] {
    guard let context else { return sum.bytes }
    var bytes = [UInt8](repeating: 0, count: stated.algorithm.byteCount)
    _ = EVP_DigestFinal_ex(context, &bytes, nil)
    return bytes
  }
}

/// SHA-256 (FIPS 180-4; libcrypto).
package enum SHA256 {
  /// The 32 bytes of the digest.
  package static func digest(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    let result = EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
    precondition(result == 1, "libcrypto has no sha-256, or no memory")
    return digest
  }
}

/// HMAC-SHA-256 (RFC 2104; libcrypto).
package enum HMACSHA256 {
  /// The 32 bytes of the code.
  package static func code(_ bytes: [UInt8], key: [UInt8]) -> [UInt8] {
    var code = [UInt8](repeating: 0, count: 32)
    let result = HMAC(EVP_sha256(), key, CInt(key.count), bytes, bytes.count, &code, nil)
    precondition(result != nil, "libcrypto has no sha-256, or no memory")
    return code
  }
}

extension ClusterSecret {
  /// Whether a code was made of the text with one of the keys.
  package func recognises(_ code: [UInt8], of text: [UInt8]) -> Bool {
    keys.contains { areEqualInConstantTime(HMACSHA256.code(text, key: $0), code) }
  }

  /// The code for a text that is sent.
  package func code(of text: [UInt8]) -> [UInt8] { HMACSHA256.code(text, key: keys[0]) }
}

/// CRC-32C (RFC 3720 appendix B.4; the Castagnoli polynomial), eight bytes at a step.
package struct CRC32C {
  /// At `256 * n + byte` stands what the byte does to the sum when n further bytes follow it.
  private static let table: [UInt32] = {
    var table: [UInt32] = []
    for byte in UInt32(0)..<256 {
      var sum = byte
      for _ in 0..<8 { sum = sum & 1 == 1 ? (sum >> 1) ^ 0x82F6_3B78 : sum >> 1 }
      table.append(sum)
    }
    for index in 256..<(8 * 256) {
      let before = table[index - 256]
      table.append((before >> 8) ^ table[Int(before & 0xFF)])
    }
    return table
  }()

  private var state: UInt32 = 0xFFFF_FFFF

  /// The sum of nothing yet.
  package init() {}

  /// Takes further bytes in.
  package mutating func update(_ bytes: RawSpan) {
    var sum = state
    Self.table.withUnsafeBufferPointer { table in
      bytes.withUnsafeBytes { buffer in
        var offset = 0
        while offset + 8 <= buffer.count {
          let word = buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian ^ UInt64(sum)
          sum = 0
          for index in 0..<8 {
            let byte = Int((word >> UInt64(8 * index)) & 0xFF)
            sum ^= table[256 * (7 - index) + byte]
          }
          offset += 8
        }
        for byte in buffer[offset...] { sum = (sum >> 8) ^ table[Int((sum ^ UInt32(byte)) & 0xFF)] }
      }
    }
    state = sum
  }

  /// The sum of all bytes so far, most significant byte first.
  package var bytes: [UInt8] {
    let sum = ~state
    return (0..<4).map { UInt8(truncatingIfNeeded: sum >> UInt32(24 - 8 * $0)) }
  }
}
