import KVHTTP

/// What a listing tells of a value.
package struct ListedValue: Equatable, Sendable {
  package let key: [UInt8]
  package let byteCount: Int
  /// Nil where none was recorded.
  package let checksum: ValueChecksum?
  package let modifiedAt: HTTPDate
  /// Nil where nothing was said of it.
  package let contentType: String?

  package init(
    key: [UInt8], byteCount: Int, checksum: ValueChecksum?, modifiedAt: HTTPDate, contentType: String? = nil
  ) {
    self.key = key
    self.byteCount = byteCount
    self.checksum = checksum
    self.modifiedAt = modifiedAt
    self.contentType = contentType
  }
}

/// An entry of a listing.
package enum ListEntry: Equatable, Sendable {
  case value(ListedValue)
  /// All keys that begin so, up to and with the delimiter.
  case group([UInt8])

  /// The key or group, by which entries are ordered.
  package var name: [UInt8] {
    switch self {
    case .value(let value): value.key
    case .group(let prefix): prefix
    }
  }

  /// What the entry adds to a page, in bytes.
  var textBytes: Int {
    switch self {
    case .value(let value): value.key.count + (value.contentType ?? "").utf8.count + 128
    case .group(let prefix): prefix.count + 16
    }
  }
}

/// A page of a listing: entries in byte order, each once, and where the next page goes on.
package struct ListPage: Equatable, Sendable {
  /// After so many bytes a page ends, however many entries were asked for: memory follows the page.
  package static let textBytesMax = 1 << 20
  /// The most bytes that a written page can have: each byte of its text as `%XX` or `\u00XX`, and one entry more.
  package static let writtenBytesMax = 6 * (textBytesMax + 4096)

  /// The entries, in byte order.
  package let entries: [ListEntry]
  /// The first key that no longer fits, or nil where all fit.
  package let next: [UInt8]?
  /// The nodes whose values may be missing.
  package var missing: [String] = []
  /// The disk of which this is a part, where values have several copies.
  package var member: Member?

  /// Whether each entry comes behind the one before it.
  package var isInOrder: Bool {
    zip(entries, entries.dropFirst()).allSatisfy { $0.name.lexicographicallyPrecedes($1.name) }
  }

  package init(entries: [ListEntry], next: [UInt8]?) {
    self.entries = entries
    self.next = next
  }

  /// The page as it is asked for.
  package func written(as format: ListRequest.Format) -> [UInt8] {
    switch format {
    case .json: json
    case .lines: lines
    }
  }

  /// `{"values":[{"key":…,"size":…,"time":…,"etag":…,"type":…},…],"prefixes":[…],"next":…}`, each key percent-encoded as it
  /// stands in a path.
  private var json: [UInt8] {
    var text = "{\"values\":["
    var groups: [String] = []
    var isFirst = true
    for entry in entries {
      switch entry {
      case .group(let prefix): groups.append(Self.encoded(prefix))
      case .value(let value):
        if !isFirst { text += "," }
        isFirst = false
        text += "{\"key\":\"\(Self.encoded(value.key))\",\"size\":\(value.byteCount),"
        text += "\"time\":\"\(value.modifiedAt.timestamp)\""
        if let checksum = value.checksum { text += ",\"etag\":\"\(checksum.entityTag)\"" }
        text += ",\"type\":\(JSONText.quoted(value.contentType ?? ValueFields.standardContentType))}"
      }
    }
    text += "],\"prefixes\":[\(groups.map { "\"\($0)\"" }.joined(separator: ","))]"
    if let next { text += ",\"next\":\"\(ListToken.encode(next))\"" }
    if !missing.isEmpty { text += ",\"missing\":[\(missing.map(JSONText.quoted).joined(separator: ","))]" }
    return Array("\(text)}\n".utf8)
  }

  /// A line an entry, its words separated by tabs, and a last line by which a whole page can be told.
  private var lines: [UInt8] {
    var text = member.map { "member\t\($0.number)\n" } ?? ""
    for entry in entries {
      switch entry {
      case .group(let prefix): text += "prefix\t\(Self.encoded(prefix))\n"
      case .value(let value):
        text += "value\t\(Self.encoded(value.key))\t\(value.byteCount)\t\(value.modifiedAt.timestamp)\t"
        text += "\(value.checksum?.entityTag ?? "-")\t"
        text += "\(Self.encoded(Array((value.contentType ?? ValueFields.standardContentType).utf8)))\n"
      }
    }
    for node in missing { text += "missing\t\(node)\n" }
    return Array((text + (next.map { "next\t\(ListToken.encode($0))\n" } ?? "end\n")).utf8)
  }

  private static func encoded(_ bytes: [UInt8]) -> String {
    String(decoding: PercentCoding.encode(bytes), as: UTF8.self)
  }
}

extension ListPage {
  /// Reads the lines of a page that another node wrote, or fails where the text is not such a page.
  package init(parsing text: [UInt8]) throws(HTTPSyntaxError) {
    var entries: [ListEntry] = []
    var missing: [String] = []
    var member: Member?
    var next: [UInt8]?
    var isComplete = false
    for line in text.split(separator: HTTPByte.lineFeed) {
      guard !isComplete else { throw Self.malformed }
      let words = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
      switch (String(decoding: words[0], as: UTF8.self), words.count) {
      case ("value", 6): entries.append(.value(try Self.value(words)))
      case ("prefix", 2): entries.append(.group(try PercentCoding.decode(Array(words[1]).span)))
      case ("member", 2):
        guard let number = UInt16(String(decoding: words[1], as: UTF8.self)) else { throw Self.malformed }
        member = Member(number)
      case ("missing", 2): missing.append(PrintableText.escape(Array(words[1])))
      case ("next", 2):
        guard let key = ListToken.decode(Array(words[1])) else { throw Self.malformed }
        next = key
        isComplete = true
      case ("end", 1): isComplete = true
      default: throw Self.malformed
      }
    }
    guard isComplete, text.last == HTTPByte.lineFeed else { throw Self.malformed }
    self.init(entries: entries, next: next)
    (self.missing, self.member) = (missing, member)
  }

  private static let malformed = HTTPSyntaxError.bad("the page of a listing is not as nodes write it")

  private static func value(_ words: [ArraySlice<UInt8>]) throws(HTTPSyntaxError) -> ListedValue {
    let key = try PercentCoding.decode(Array(words[1]).span)
    let type = String(decoding: try PercentCoding.decode(Array(words[5]).span), as: UTF8.self)
    let tag = String(decoding: words[4], as: UTF8.self)
    guard let byteCount = Int(decimalDigits: String(decoding: words[2], as: UTF8.self)),
      let modifiedAt = HTTPDate(timestamp: Array(words[3])), !key.isEmpty, key.count <= Key.bytesMax
    else { throw malformed }
    let checksum = ValueChecksum(entityTag: tag[...])
    guard checksum != nil || tag == "-" else { throw malformed }
    return ListedValue(
      key: key, byteCount: byteCount, checksum: checksum, modifiedAt: modifiedAt,
      contentType: type == ValueFields.standardContentType ? nil : type)
  }
}
