/// What a client states a body's digest to be: Content-Digest and Repr-Digest (RFC 9530), or Content-MD5 (RFC 1864).
package struct StatedDigest: Equatable, Sendable {
  /// The algorithms that are checked, by their names in RFC 9530.
  package enum Algorithm: String, CaseIterable, Sendable {
    case sha256 = "sha-256"
    case sha512 = "sha-512"
    case md5
    case crc32c

    /// How many bytes a digest has.
    package var byteCount: Int {
      switch self {
      case .sha256: 32
      case .sha512: 64
      case .md5: 16
      case .crc32c: 4
      }
    }
  }

  /// The field it was stated in.
  package let field: String
  package let algorithm: Algorithm
  package let bytes: [UInt8]

  /// A digest to be stated, or as it was.
  package init(field: String, algorithm: Algorithm, bytes: [UInt8]) {
    (self.field, self.algorithm, self.bytes) = (field, algorithm, bytes)
  }

  /// All digests that a head states. For a request that stores a whole representation all fields are about the same bytes.
  ///
  /// Other algorithms are passed over, as RFC 9530 allows, unless a field has no other: then its sender would take for
  /// checked what was not.
  package static func parse(_ fields: HTTPFields) throws(HTTPSyntaxError) -> [StatedDigest] {
    var digests: [StatedDigest] = []
    for name in ["Content-Digest", "Repr-Digest"] where fields.contains(name) {
      let stated = try dictionary(fields.all(name).joined(separator: ","), name)
      guard !stated.isEmpty else {
        let known = Algorithm.allCases.map(\.rawValue).joined(separator: ", ")
        throw .bad("\(name): no digest of a supported algorithm (\(known))")
      }
      try check(stated, name)
      digests += Set(stated.map(\.algorithm)).sorted { $0.rawValue < $1.rawValue }
        .compactMap { algorithm in stated.first { $0.algorithm == algorithm } }
    }
    let sums = try fields.all("Content-MD5").map { value throws(HTTPSyntaxError) in
      try digest(.md5, value, "Content-MD5")
    }
    try check(sums, "Content-MD5")
    digests += sums.prefix(1)
    return digests
  }

  /// Each algorithm has one digest, however often it is stated, or a head could make us compute hundreds.
  private static func check(_ digests: [StatedDigest], _ name: String) throws(HTTPSyntaxError) {
    for digest in digests
    where digests.contains(where: { $0.algorithm == digest.algorithm && $0.bytes != digest.bytes }) {
      throw .bad("\(name): two different digests by \(digest.algorithm.rawValue)")
    }
  }

  /// The digests as fields, for a relayed request.
  package static func append(_ digests: [StatedDigest], to fields: inout HTTPFields) {
    for digest in digests { fields.append(digest.field, digest.text) }
  }

  /// What its field says.
  package var text: String {
    let encoded = Base64.encode(bytes)
    return field == "Content-MD5" ? encoded : "\(algorithm.rawValue)=:\(encoded):"
  }

  /// A dictionary of byte sequences (RFC 8941 sections 3.2 and 3.3.5); parameters are none of ours.
  private static func dictionary(_ text: String, _ field: String) throws(HTTPSyntaxError) -> [StatedDigest] {
    var digests: [StatedDigest] = []
    for member in text.split(separator: ",", omittingEmptySubsequences: false) {
      let blanks: (Character) -> Bool = { $0 == " " || $0 == "\t" }
      let pair = member.drop(while: blanks).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2 else {
        throw .bad("\(field): \(HTTPSyntaxError.quote(Array(member.utf8).span)) is no digest")
      }
      guard let algorithm = Algorithm(rawValue: pair[0].lowercased()) else { continue }
      let value = pair[1].split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)[0]
      let trimmed = String(value.reversed().drop(while: blanks).reversed())
      guard trimmed.count >= 2, trimmed.hasPrefix(":"), trimmed.hasSuffix(":") else {
        throw .bad("\(field): \(HTTPSyntaxError.quote(Array(member.utf8).span)) is no digest between colons")
      }
      digests.append(try digest(algorithm, String(trimmed.dropFirst().dropLast()), field))
    }
    return digests
  }

  private static func digest(
    _ algorithm: Algorithm, _ text: String, _ field: String
  ) throws(HTTPSyntaxError) -> StatedDigest {
    guard let bytes = Base64.decode(text), bytes.count == algorithm.byteCount else {
      let quoted = HTTPSyntaxError.quote(Array(text.utf8).span)
      throw .bad("\(field): \(quoted) is not \(algorithm.byteCount) bytes in base64, as \(algorithm.rawValue) has")
    }
    return StatedDigest(field: field, algorithm: algorithm, bytes: bytes)
  }
}

/// Base64 with padding (RFC 4648 section 4).
package enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let padding = UInt8(ascii: "=")

  /// The bytes as text.
  package static func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = (0..<3).reduce(0) { $0 << 8 | ($1 < group.count ? Int(group[start + $1]) : 0) }
      for index in 0..<4 { text.append(index <= group.count ? alphabet[bits >> (18 - 6 * index) & 63] : padding) }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The bytes of a text, or nil where it is none, or not as `encode` would write it.
  package static func decode(_ text: String) -> [UInt8]? {
    let characters = Array(text.utf8)
    guard characters.count.isMultiple(of: 4) else { return nil }
    var bytes: [UInt8] = []
    for start in stride(from: 0, to: characters.count, by: 4) {
      let group = characters[start..<(start + 4)].prefix { $0 != padding }
      let digits = group.compactMap { alphabet.firstIndex(of: $0) }
      guard group.count >= 2, digits.count == group.count else { return nil }
      let bits = (0..<4).reduce(0) { $0 << 6 | ($1 < digits.count ? digits[$1] : 0) }
      for index in 0..<(digits.count - 1) { bytes.append(UInt8(truncatingIfNeeded: bits >> (16 - 8 * index))) }
    }
    // Padding amid the text, and bits that belong to no byte, would give one value two texts.
    return encode(bytes) == text ? bytes : nil
  }
}
