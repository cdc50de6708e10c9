/// What a request is about: a path and perhaps a query, both as they stand in the request line (RFC 9112 section 3.2).
package struct HTTPTarget: Equatable, Sendable {
  /// The path, still percent-encoded: it begins with a slash, or is `*` alone.
  package let path: [UInt8]
  /// What follows the first `?`, still percent-encoded; nil where there is none.
  package let query: [UInt8]?

  /// The target that names a key.
  package init(key: [UInt8], query: [UInt8]? = nil) {
    path = [HTTPByte.slash] + PercentCoding.encode(key)
    self.query = query
  }

  private init(path: [UInt8], query: [UInt8]?) {
    self.path = path
    self.query = query
  }

  /// Reads the middle word of a request line: `/path?query`, `*`, or `http://host/path?query`, of which only path and
  /// query are kept. The authority form is for proxies, and refused.
  package static func parse(_ target: Span<UInt8>) throws(HTTPSyntaxError) -> HTTPTarget {
    for index in target.indices where !HTTPByte.isTarget(target[index]) {
      let wrong = HTTPSyntaxError.quote(target.extracting(index..<(index + 1)))
      throw .bad("the byte \(wrong) in the request target must be percent-encoded")
    }
    guard target.count > 0 else { throw .bad("the request target is empty") }
    if target[0] == HTTPByte.slash { return split(target, pathStart: 0) }
    if target[0] == HTTPByte.asterisk, target.count == 1 { return HTTPTarget(path: [HTTPByte.asterisk], query: nil) }
    return split(target, pathStart: try endOfAuthority(target))
  }

  private static func split(_ target: Span<UInt8>, pathStart: Int) -> HTTPTarget {
    var pathEnd = pathStart
    while pathEnd < target.count, target[pathEnd] != HTTPByte.questionMark { pathEnd += 1 }
    let path = pathStart == pathEnd ? [HTTPByte.slash] : [UInt8](copying: target, pathStart..<pathEnd)
    let query = pathEnd < target.count ? [UInt8](copying: target, (pathEnd + 1)..<target.count) : nil
    return HTTPTarget(path: path, query: query)
  }

  /// The index after the scheme and the host of an absolute form, where its path, its query or nothing follows.
  private static func endOfAuthority(_ target: Span<UInt8>) throws(HTTPSyntaxError) -> Int {
    guard let hostStart = endOfPrefix("http://", of: target) ?? endOfPrefix("https://", of: target) else {
      throw .bad("the request target \(HTTPSyntaxError.quote(target)) is neither a path nor an http URI")
    }
    var index = hostStart
    while index < target.count, target[index] != HTTPByte.slash, target[index] != HTTPByte.questionMark {
      guard HTTPByte.isHost(target[index]) else {
        throw .bad("the host in the request target \(HTTPSyntaxError.quote(target)) is not valid")
      }
      index += 1
    }
    guard index > hostStart else { throw .bad("no host in the request target \(HTTPSyntaxError.quote(target))") }
    return index
  }

  private static func endOfPrefix(_ prefix: String, of target: Span<UInt8>) -> Int? {
    let length = prefix.utf8.count
    guard target.count >= length else { return nil }
    return HTTPByte.isEqualIgnoringCase(target.extracting(0..<length), prefix.utf8.span) ? length : nil
  }

  /// The path, percent-decoded, without its first slash; slashes inside are part of it.
  ///
  /// It may be empty or too long for a key: that is for the key's own type to judge. `*` names no key.
  package func keyBytes() throws(HTTPSyntaxError) -> [UInt8] {
    guard path.first == HTTPByte.slash else { throw .bad("the request target '*' names no key") }
    return try PercentCoding.decode(path.span.extracting(1..<path.count))
  }

  /// Path and query as they stand in a request line.
  package func encode(into output: inout [UInt8]) {
    output.append(contentsOf: path)
    if let query {
      output.append(HTTPByte.questionMark)
      output.append(contentsOf: query)
    }
  }
}
