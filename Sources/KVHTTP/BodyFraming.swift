/// How the end of a message's body is found (RFC 9112 section 6.3).
package enum BodyFraming: Equatable, Sendable {
  /// No body follows the head.
  case none
  /// So many bytes follow, 0 included.
  case length(Int)
  /// Chunks follow (RFC 9112 section 7.1).
  case chunked
  /// Everything until the connection ends; in HTTP, responses only.
  case untilEnd
  /// So many bytes, and the sender may or may not end the connection behind them; never in HTTP. What else has come by then
  /// is handed over too, for whoever counts.
  case exactly(Int)
}

extension HTTPRequestHead {
  /// How the request's body ends.
  ///
  /// Whatever two readers could take for two different lengths is an error (RFC 9112 section 11.2).
  package func bodyFraming() throws(HTTPSyntaxError) -> BodyFraming {
    try fields.bodyFraming(in: version) ?? .none
  }
}

extension HTTPResponseHead {
  /// How the body of this response to a request of that method ends.
  ///
  /// Contradictions in the fields are an error even where no body can follow.
  package func bodyFraming(requestMethod: String) throws(HTTPSyntaxError) -> BodyFraming {
    let stated = try fields.bodyFraming(in: version)
    if requestMethod == "HEAD" || status < 200 || status == 204 || status == 304 { return .none }
    return stated ?? .untilEnd
  }
}

extension HTTPFields {
  /// The Content-Length, or nil where there is none; a second one, or anything but digits, is an error.
  package func contentLength() throws(HTTPSyntaxError) -> Int? {
    guard let index = firstIndex(named: "content-length") else { return nil }
    guard firstIndex(named: "content-length", from: index + 1) == nil else {
      throw .bad("more than one Content-Length")
    }
    let digits = bytes.span.extracting(entries[index].value)
    guard digits.count > 0 else { throw .bad("an empty Content-Length") }
    var length = 0
    for index in digits.indices {
      guard HTTPByte.isDigit(digits[index]) else {
        throw .bad("the Content-Length \(HTTPSyntaxError.quote(digits)) is no number")
      }
      let digit = Int(digits[index] - UInt8(ascii: "0"))
      guard length <= (HTTPHeadLimits.bodyBytesMax - digit) / 10 else {
        throw .bad("the Content-Length \(HTTPSyntaxError.quote(digits)) is too large")
      }
      length = 10 * length + digit
    }
    return length
  }

  /// What Content-Length and Transfer-Encoding say, or nil where there is neither.
  fileprivate func bodyFraming(in version: HTTPVersion) throws(HTTPSyntaxError) -> BodyFraming? {
    guard contains("transfer-encoding") else {
      guard let length = try contentLength() else { return nil }
      return .length(length)
    }
    guard !contains("content-length") else { throw .bad("Content-Length beside Transfer-Encoding") }
    guard version == .http11 else { throw .bad("Transfer-Encoding in HTTP/1.0") }
    try checkTransferCoding(all("transfer-encoding").joined(separator: ","))
    return .chunked
  }

  /// Chunked must be the last coding and applied once, or the body has no certain end; others are not implemented.
  private func checkTransferCoding(_ list: String) throws(HTTPSyntaxError) {
    let codings = list.utf8.split(separator: HTTPByte.comma, omittingEmptySubsequences: false).map { part in
      let bytes = Array(part)
      return bytes[HTTPByte.trim(bytes.span, 0..<bytes.count)].map(HTTPByte.lowercased)
    }
    let chunked = Array("chunked".utf8)
    if codings == [chunked] { return }
    let quoted = HTTPSyntaxError.quote(list.utf8.span)
    guard !codings.contains([]) else { throw .bad("an empty coding in Transfer-Encoding \(quoted)") }
    guard !codings.dropLast().contains(chunked) else {
      throw .bad("chunked is not the last coding of Transfer-Encoding \(quoted), or not the only such")
    }
    throw .unsupportedTransferCoding("Transfer-Encoding \(quoted) is not implemented, only chunked")
  }
}
