import KVCore
import KVHTTP
import KVLinux

/// How a value stands in the index: under which name, and as which bytes.
///
/// A name has at most 511 bytes and a key up to 1024. A longer key's name is its beginning and a digest: names with the
/// same beginning are then in no order, so whoever goes through them takes all of those before the next one.
enum IndexEntry {
  /// How many bytes of a longer key its name begins with.
  static let stemBytes = OrderedMap.keyBytesMax - 17
  private static let digestBytes = 16
  private static let version: UInt8 = 1

  /// The name of a key.
  static func name(_ key: [UInt8]) -> [UInt8] {
    key.count <= stemBytes ? key : stem(key) + SHA256.digest(key).prefix(digestBytes)
  }

  /// What names of keys at or behind a key begin with, or are.
  static func stem(_ key: [UInt8]) -> [UInt8] { key.count <= stemBytes ? key : Array(key[..<stemBytes]) }

  /// Whether the name is that of a longer key.
  static func isLong(_ name: [UInt8]) -> Bool { name.count > stemBytes }

  /// What is kept of a value.
  static func encode(_ value: ListedValue) -> [UInt8] {
    let type = Array((value.contentType ?? "").utf8)
    var bytes = [version, value.checksum == nil ? 0 : 1, UInt8(type.count >> 8), UInt8(type.count & 0xFF)]
    bytes += BigEndian.bytes(Int64(value.byteCount)) + BigEndian.bytes(Int64(value.modifiedAt.secondsSince1970))
    bytes += value.checksum?.bytes ?? []
    bytes += type
    return value.key.count <= stemBytes ? bytes : bytes + value.key
  }

  /// Reads it, or gives nil where this version did not write it.
  static func decode(_ name: [UInt8], _ bytes: [UInt8]) -> ListedValue? {
    guard bytes.count >= 20, bytes[0] == version, bytes[1] <= 1 else { return nil }
    let typeBytes = Int(bytes[2]) << 8 | Int(bytes[3])
    let typeStart = bytes[1] == 1 ? 36 : 20
    guard bytes.count >= typeStart + typeBytes else { return nil }
    let checksum =
      bytes[1] == 1
      ? ValueChecksum(
        high: UInt64(bitPattern: BigEndian.integer(bytes[20..<28])),
        low: UInt64(bitPattern: BigEndian.integer(bytes[28..<36]))) : nil
    let type = String(decoding: bytes[typeStart..<(typeStart + typeBytes)], as: UTF8.self)
    let key = isLong(name) ? Array(bytes[(typeStart + typeBytes)...]) : name
    guard name.starts(with: stem(key)) else { return nil }
    return ListedValue(
      key: key,
      byteCount: Int(BigEndian.integer(bytes[4..<12])),
      checksum: checksum, modifiedAt: HTTPDate(secondsSince1970: Int(BigEndian.integer(bytes[12..<20]))),
      contentType: type.isEmpty ? nil : type)
  }
}
