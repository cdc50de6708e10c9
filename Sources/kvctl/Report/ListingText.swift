import KVCore
import KVHTTP

/// How a listing is written.
struct ListingText: Sendable {
  enum Style: Equatable, Sendable {
    case plain
    /// Percent-encoded keys.
    case encoded
    /// The keys' own bytes, each followed by a NUL.
    case null
    case json
  }

  private static let sizeCharacters = 14
  private static let timeCharacters = 20

  let style: Style
  let isLong: Bool
  /// Whether sizes have units.
  var isForPeople = false
  /// Whether the end says how much it was.
  var hasTotal = false
  private var count = 0
  private var byteCount = 0

  init(style: Style, isLong: Bool) {
    self.style = style
    self.isLong = isLong
  }

  /// What comes before the first key.
  var opening: String { style == .json ? "{\"keys\":[" : "" }

  /// What comes after the last.
  var closing: String {
    let total = "\(Quantity.values(count)), \(isForPeople ? Quantity.bytes(byteCount) : Quantity.exactBytes(byteCount))"
    return switch (style, hasTotal) {
    case (.json, false): "]}\n"
    case (.json, true): "],\"values\":\(count),\"bytes\":\(byteCount)}\n"
    case (_, false): ""
    case (_, true): "\(total)\n"
    }
  }

  /// A value, with what is known of it in a long listing.
  mutating func entry(_ value: ListedValue) -> [UInt8] {
    let isFirst = count == 0
    count += 1
    byteCount += value.byteCount ?? 0
    let encoded = String(decoding: PercentCoding.encode(value.key), as: UTF8.self)
    let figures = isLong ? figures(value) : ""
    switch style {
    case .plain: return Array("\(figures)\(PrintableText.escape(value.key))\n".utf8)
    case .encoded: return Array("\(figures)\(encoded)\n".utf8)
    case .null: return Array(figures.utf8) + value.key + [0]
    case .json:
      let text = isLong ? Self.json(encoded, value) : JSONText.quoted(encoded)
      return Array("\(isFirst ? "" : ",")\(text)".utf8)
    }
  }

  private func figures(_ value: ListedValue) -> String {
    let size = value.byteCount.map { isForPeople ? Quantity.bytes($0) : "\($0)" } ?? "?"
    let time = value.time ?? "?"
    let before = String(repeating: " ", count: max(Self.sizeCharacters - size.count, 0))
    return "\(before)\(size)  \(time)\(String(repeating: " ", count: max(Self.timeCharacters - time.count, 0)))  "
  }

  private static func json(_ encodedKey: String, _ value: ListedValue) -> String {
    var object = JSONObject()
    object.add("key", encodedKey)
    if let byteCount = value.byteCount { object.add("bytes", byteCount) }
    if let entityTag = value.entityTag { object.add("etag", "\(entityTag)") }
    if let time = value.time { object.add("modified", time) }
    return object.description
  }
}
