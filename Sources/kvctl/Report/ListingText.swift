import KVCore
import KVHTTP

/// How a listing is written.
struct ListingText {
  enum Style: Equatable, Sendable {
    case plain
    /// Percent-encoded keys.
    case encoded
    /// The keys' own bytes, each followed by a NUL.
    case null
    case json
  }

  private static let sizeCharacters = 14

  let style: Style
  let isLong: Bool
  private var isFirst = true

  init(style: Style, isLong: Bool) {
    self.style = style
    self.isLong = isLong
  }

  /// What comes before the first key.
  var opening: String { style == .json ? "{\"keys\":[" : "" }

  /// What comes after the last.
  var closing: String { style == .json ? "]}\n" : "" }

  /// A key, with what is known of its value in a long listing.
  mutating func entry(_ key: [UInt8], _ value: ValueDescription?) -> [UInt8] {
    defer { isFirst = false }
    let encoded = String(decoding: PercentCoding.encode(key), as: UTF8.self)
    let figures = value.map(Self.figures) ?? ""
    switch style {
    case .plain: return Array("\(figures)\(PrintableText.escape(key))\n".utf8)
    case .encoded: return Array("\(figures)\(encoded)\n".utf8)
    case .null: return Array(figures.utf8) + key + [0]
    case .json: return Array(((isFirst ? "" : ",") + Self.json(encoded, value)).utf8)
    }
  }

  private static func figures(_ value: ValueDescription) -> String {
    let size = value.byteCount.map(String.init) ?? "?"
    let padding = String(repeating: " ", count: max(sizeCharacters - size.count, 0))
    return "\(padding)\(size)  \(value.modified ?? "?")  "
  }

  private static func json(_ encodedKey: String, _ value: ValueDescription?) -> String {
    guard let value else { return JSONText.quoted(encodedKey) }
    var object = JSONObject()
    object.add("key", encodedKey)
    if let byteCount = value.byteCount { object.add("bytes", byteCount) }
    if let entityTag = value.entityTag { object.add("etag", entityTag) }
    if let modified = value.modified { object.add("modified", modified) }
    return object.description
  }
}
