/// What a client or another node asks for when it lists keys: `GET /<prefix>?list[&start=][&limit=]`.
public struct ListRequest: Equatable, Sendable {
  /// The most keys a page has.
  public static let keysMax = 100_000
  /// How many it has where the client does not say.
  public static let keysDefault = 1000

  /// The bytes that the keys begin with; empty for all.
  public let prefix: [UInt8]
  /// The first key to list, by bytes, whether or not it exists; empty for the first there is.
  public let start: [UInt8]
  /// The most keys to list.
  public let limit: Int
  /// Set when another node asks: then only this node's keys are meant.
  public let relayed: RelayMark?

  /// A listing of all keys with the prefix, from the start on.
  public init(prefix: [UInt8], start: [UInt8] = [], limit: Int = keysDefault, relayed: RelayMark? = nil) {
    self.prefix = prefix
    self.start = start
    self.limit = limit
    self.relayed = relayed
  }

  /// The listing that a head asks for, or nil where it asks for a key.
  public init?(_ head: HTTPRequestHead) throws(Failure) {
    guard head.method == "GET", let query = head.target.query else { return nil }
    var start: [UInt8] = []
    var limit = Self.keysDefault
    var isList = false
    for part in query.split(separator: UInt8(ascii: "&")) {
      let pair = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      let value = pair.count > 1 ? Array(pair[1]) : []
      switch PrintableText.escape(pair[0]) {
      case "list": isList = true
      case "start": start = try Self.decoded(value)
      case "limit": limit = try Self.limit(value)
      default: break
      }
    }
    guard isList else { return nil }
    let prefix: [UInt8]
    do throws(HTTPSyntaxError) { prefix = try head.target.keyBytes() } catch { throw Failure(error) }
    self.init(prefix: prefix, start: start, limit: limit, relayed: try PeerProtocol.mark(head.fields))
  }

  /// Whether a key belongs to the listing, apart from the limit.
  public func includes(_ key: some Collection<UInt8>) -> Bool {
    key.starts(with: prefix) && !key.lexicographicallyPrecedes(start)
  }

  /// The head by which one node asks another for its part.
  public func head(to peer: Peer, mark: RelayMark) -> HTTPRequestHead {
    var head = head()
    head.fields = PeerProtocol.fields(to: peer, mark: mark)
    return head
  }

  /// The head by which a client asks, without any field.
  public func head() -> HTTPRequestHead {
    var query = Array("list&limit=\(limit)".utf8)
    if !start.isEmpty { query += Array("&start=".utf8) + PercentCoding.encode(start) }
    return HTTPRequestHead(method: "GET", target: HTTPTarget(key: prefix, query: query))
  }

  private static func decoded(_ value: [UInt8]) throws(Failure) -> [UInt8] {
    do throws(HTTPSyntaxError) { return try PercentCoding.decode(value.span) } catch { throw Failure(error) }
  }

  private static func limit(_ value: [UInt8]) throws(Failure) -> Int {
    guard let limit = Int(decimalDigits: PrintableText.escape(value)), (1...keysMax).contains(limit) else {
      throw Failure(.badRequest, "limit= is not a number from 1 to \(keysMax)")
    }
    return limit
  }
}
