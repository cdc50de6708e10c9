import KVCore
import KVHTTP

/// A value as a listing tells of it. All but the key may be unknown.
struct ListedValue: Equatable, Sendable {
  let key: [UInt8]
  var byteCount: Int?
  var entityTag: EntityTag?
  /// When it was stored, as `2026-11-28T20:22:58Z`.
  var time: String?
}

/// A page of a listing, as a node sends it.
struct ListPage: Equatable, Sendable {
  /// Where the next page begins, as the request for it says.
  enum Place: Equatable, Sendable {
    /// A key, whether or not it exists.
    case key([UInt8])
    /// Something that only the node understands.
    case token([UInt8])
  }

  /// The most bytes that a page may have.
  static let bytesMax = 64 << 20

  /// The values in byte order of their keys.
  var values: [ListedValue] = []
  /// What several keys begin with that are not listed one by one.
  var prefixes: [[UInt8]] = []
  var next: Place?
  /// The nodes that did not answer.
  var missing: [String] = []
  /// Whether the node tells keys alone, and has to be asked for sizes and tags one by one.
  var isBare = false

  init() {}

  /// Reads the JSON of a page: `{"values":[{"key":…,"size":…,"etag":…,"time":…},…],"prefixes":[…],"next":…}`, or
  /// `{"keys":[…],"next":…}` of a node that tells keys alone. Members that are not known are passed over.
  init(parsing text: [UInt8]) throws(JSONReadingError) {
    var reader = JSONReader(text)
    var next: [UInt8]?
    try reader.object { name, reader throws(JSONReadingError) in
      switch name {
      case "values":
        try reader.array { reader throws(JSONReadingError) in values.append(try Self.value(&reader)) }
      case "keys":
        isBare = true
        try reader.array { reader throws(JSONReadingError) in
          values.append(ListedValue(key: try Self.decoded(try reader.string(), reader)))
        }
      case "prefixes":
        try reader.array { reader throws(JSONReadingError) in
          prefixes.append(try Self.decoded(try reader.string(), reader))
        }
      case "missing":
        try reader.array { reader throws(JSONReadingError) in
          missing.append(PrintableText.escape(try reader.string()))
        }
      case "next": next = try reader.string()
      default: try reader.skip()
      }
    }
    try reader.finish()
    if let next { self.next = isBare ? .key(try Self.decoded(next, reader)) : .token(next) }
  }

  private static func value(_ reader: inout JSONReader) throws(JSONReadingError) -> ListedValue {
    var key: [UInt8]?
    var value = ListedValue(key: [])
    try reader.object { name, reader throws(JSONReadingError) in
      switch name {
      case "key": key = try decoded(try reader.string(), reader)
      case "size": value.byteCount = try reader.integer()
      case "etag": value.entityTag = EntityTag(argument: PrintableText.escape(try reader.string()))
      case "time": value.time = PrintableText.escape(try reader.string())
      default: try reader.skip()
      }
    }
    guard let key else { throw reader.expected("a value with a key") }
    return ListedValue(key: key, byteCount: value.byteCount, entityTag: value.entityTag, time: value.time)
  }

  private static func decoded(_ text: [UInt8], _ reader: JSONReader) throws(JSONReadingError) -> [UInt8] {
    do throws(HTTPSyntaxError) {
      return try PercentCoding.decode(text.span)
    } catch {
      throw reader.expected("a percent-encoded key")
    }
  }
}

/// What a page of a listing is asked for by.
struct ListQuery: Equatable, Sendable {
  /// How many values a page has at most.
  static let pageValuesMax = 10_000

  /// What the keys begin with.
  var prefix: [UInt8] = []
  /// The first key to list, whether or not it exists.
  var from: [UInt8] = []
  /// Where the page begins that comes after others.
  var place: ListPage.Place?
  var limit = pageValuesMax
  /// Keys that go on after this byte are listed as one.
  var delimiter: UInt8?
  /// Whether the nodes that answer are enough.
  var isPartial = false

  /// The head of the request.
  var head: HTTPRequestHead {
    var query = Array("list&limit=\(limit)".utf8)
    func add(_ name: String, _ value: [UInt8]) { query += Array("&\(name)=".utf8) + PercentCoding.encode(value) }
    switch place {
    case .key(let text), .token(let text): add("start", text)
    case nil: if !from.isEmpty { add("from", from) }
    }
    if let delimiter { query += Array("&delimiter=%\(Hexadecimal.digits([delimiter]).uppercased())".utf8) }
    if isPartial { query += Array("&partial=yes".utf8) }
    return HTTPRequestHead(method: "GET", target: HTTPTarget(key: prefix, query: query))
  }
}
