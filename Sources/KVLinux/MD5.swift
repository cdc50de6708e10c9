import CMD
import KVCore

/// MD5 (RFC 1321; libmd), for placement alone: it spreads keys and protects nothing.
public enum MD5 {
  /// The 16 bytes of the digest.
  public static func digest(_ bytes: [UInt8]) -> [UInt8] {
    var context = MD5_CTX()
    MD5Init(&context)
    MD5Update(&context, bytes, bytes.count)
    var digest = [UInt8](repeating: 0, count: Int(MD5_DIGEST_LENGTH))
    MD5Final(&digest, &context)
    return digest
  }
}

extension Key {
  /// The key's slot: the first two bytes of MD5(key + LF).
  public var slot: Slot {
    let digest = MD5.digest(bytes + [UInt8(ascii: "\n")])
    return Slot(digestByte0: digest[0], digestByte1: digest[1])
  }
}
