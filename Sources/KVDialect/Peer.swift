import KVCore
import KVHTTP

/// What nodes add to HTTP when they speak to each other. docs/protocol.md specifies it.
package enum PeerProtocol {
  /// The relaying node's name; its presence marks a relayed request.
  package static let nodeField = "Kvnode-Relayed-By"
  /// The fingerprint of the relaying node's peer list.
  package static let fingerprintField = "Kvnode-Peers"
  /// The cluster that the relaying node belongs to, and the version of the layout that it goes by.
  package static let layoutField = "Kvnode-Layout"
  /// The upload whose bytes are asked for: a member's number and a counter.
  package static let uploadField = "Kvnode-Upload"
  /// The length that a classic client stated for a value sent in chunks: the owner reserves space by it.
  package static let valueBytesField = "Kvnode-Value-Length"
  /// What is known of a write that failed: `none` or `unknown`.
  package static let outcomeField = "Kvnode-Outcome"
  /// What a read may be answered from, and what it was answered from where too few owners could be asked.
  package static let consistencyField = "Kvnode-Consistency"
  /// The most text that is taken over from another node's error.
  package static let errorTextBytesMax = 8192

  /// The head of a relayed request. A value always asks first (100-continue): the owner can refuse before the
  /// bytes move, and a connection that died in the pool is found out while the request can still be repeated.
  package static func head(_ request: ValueRequest, to owner: Peer, mark: RelayMark) -> HTTPRequestHead {
    var fields = fields(to: owner, mark: mark)
    request.preconditions.append(to: &fields)
    if let range = request.range { fields.append("Range", range) }
    if request.consistency == .any { fields.append(consistencyField, ReadConsistency.any.rawValue) }
    if let upload = request.upload { fields.append(uploadField, text(upload)) }
    if request.operation == .put { appendBody(of: request, to: &fields) }
    return HTTPRequestHead(
      method: request.operation.method, target: HTTPTarget(key: request.key.bytes), fields: fields)
  }

  /// The fields that every question to another node carries.
  package static func fields(to peer: Peer, mark: RelayMark) -> HTTPFields {
    var fields: HTTPFields = ["Host": "\(peer.address)", nodeField: mark.node, fingerprintField: mark.fingerprint]
    if let layout = mark.layout { fields.append(layoutField, "\(layout.cluster) \(layout.version)") }
    return fields
  }

  /// The head of a message, whose body follows: at once, or when it is asked for.
  package static func messageHead(
    to peer: Peer, mark: RelayMark, byteCount: Int, asksFirst: Bool = false
  ) -> HTTPRequestHead {
    var fields = fields(to: peer, mark: mark)
    fields.append("Content-Length", "\(byteCount)")
    if asksFirst { fields.append("Expect", "100-continue") }
    return HTTPRequestHead(
      method: "POST", target: HTTPTarget(key: [], query: Array("message".utf8)), fields: fields)
  }

  /// The mark of a message, or nil where a head is that of something else.
  static func messageMark(_ head: HTTPRequestHead, _ query: HTTPQuery) throws(Failure) -> RelayMark? {
    guard head.method == "POST", head.target.path == [HTTPByte.slash], query.parameters.map(\.name) == ["message"]
    else { return nil }
    guard let mark = try mark(head.fields) else {
      throw Failure(.badRequest, "MESSAGE: only nodes send messages, and say which they are")
    }
    return mark
  }

  /// The upload whose bytes another node asks for, brings, or takes back.
  static func upload(_ fields: HTTPFields, of request: ValueRequest) throws(Failure) -> UploadID? {
    guard let text = fields[uploadField] else { return nil }
    guard request.relayed != nil, let upload = upload(text) else {
      throw Failure(.badRequest, "\(request.subject): \(uploadField) is for nodes that move a value")
    }
    return upload
  }

  /// What a client or another node says of a read's consistency.
  static func consistency(_ fields: HTTPFields, of request: ValueRequest) throws(Failure) -> ReadConsistency? {
    guard let text = fields[consistencyField] else { return nil }
    let consistency: ReadConsistency
    do throws(SettingError) { consistency = try ReadConsistency(parsing: text) } catch {
      throw Failure(.badRequest, "\(request.subject): \(consistencyField): expected \(error.expected)")
    }
    guard consistency == .majority || request.operation.isRead else {
      throw Failure(.badRequest, "\(request.subject): \(consistencyField): any is for reading; nothing was done")
    }
    return consistency
  }

  /// An upload as a field names it: a member's number and a counter.
  static func text(_ upload: UploadID) -> String { "\(upload.member.number) \(upload.counter)" }

  private static func upload(_ text: String) -> UploadID? {
    let words = text.split(separator: " ")
    guard words.count == 2, let member = Int(decimalDigits: String(words[0])).flatMap(UInt16.init(exactly:)),
      let counter = Int(decimalDigits: String(words[1])).map(UInt64.init)
    else { return nil }
    return UploadID(member: Member(member), counter: counter)
  }

  private static func appendBody(of request: ValueRequest, to fields: inout HTTPFields) {
    if case .length(let byteCount) = bodyFraming(request) {
      fields.append("Content-Length", "\(byteCount)")
    } else {
      fields.append("Transfer-Encoding", "chunked")
      if let valueBytes = request.valueBytes { fields.append(valueBytesField, "\(valueBytes)") }
    }
    if let contentType = request.fields.contentType { fields.append("Content-Type", contentType) }
    request.fields.appendOthers(to: &fields)
    StatedDigest.append(request.digests, to: &fields)
    if let key = request.idempotencyKey { fields.append(IdempotencyKey.fieldName, key.field) }
    fields.append("Expect", "100-continue")
  }

  /// How a relayed value is framed between nodes. Never by the end of the stream: a relay that is killed must
  /// not make its owner take half a value for a whole one. And even one of no bytes has an end of its own, which is sent
  /// once the owner has agreed: until then nothing can have been stored, and the request may be repeated.
  package static func bodyFraming(_ request: ValueRequest) -> BodyFraming {
    switch request.body {
    case .length(let byteCount) where byteCount > 0: request.body
    case .length, .none, .chunked, .untilEnd, .exactly: .chunked
    }
  }

  /// The owner's answer to a request, or nil for an error: its text is not in the head, so the caller reads it
  /// and passes it to `failure`.
  package static func response(
    _ head: HTTPResponseHead, to request: ValueRequest
  ) throws(HTTPSyntaxError) -> Response? {
    try checkAsked(head.status, request)
    switch (request.operation, head.status) {
    case (.put, 200), (.put, 201), (.put, 204):
      let created = head.status == 200 ? nil : head.status == 201
      return .stored(request.key, checksum: checksum(head.fields), created: created)
    case (.get, 200), (.get, 206), (.head, 200): return .value(try valueHead(head))
    case (.get, 304), (.head, 304): return .notModified(try valueHead(head))
    case (.get, 416):
      guard let byteCount = head.fields["Content-Range"].flatMap(ContentRange.parseUnsatisfied) else {
        throw .bad("416 without the value's size")
      }
      return .rangeNotSatisfiable(byteCount: byteCount)
    case (.delete, 204): return .deleted(request.key, existed: true)
    case (.delete, 404): return .deleted(request.key, existed: false)
    case (_, 400...): return nil
    default: throw .bad("the unexpected status \(head.status)")
    }
  }

  /// A part, or word that the client has the value, answers only who asked for it: no other could tell it from the whole.
  private static func checkAsked(_ status: Int, _ request: ValueRequest) throws(HTTPSyntaxError) {
    let isAsked =
      switch status {
      case 206, 416: request.range != nil
      case 304: !request.preconditions.isEmpty
      default: true
      }
    guard isAsked else { throw .bad("the status \(status), which nobody asked for") }
  }

  private static func valueHead(_ head: HTTPResponseHead) throws(HTTPSyntaxError) -> ValueHead {
    let fields = head.fields
    // Where the date is compared, the owner has done it; a two-digit year can only be a foreign server's.
    guard let modifiedAt = fields["Last-Modified"].flatMap({ HTTPDate.parse($0, now: HTTPDate(secondsSince1970: 0)) })
    else {
      throw .bad("a value without Last-Modified")
    }
    let kept = try ValueFields(fields)
    let upload = fields[uploadField].flatMap(upload)
    let consistency = fields[consistencyField] == ReadConsistency.any.rawValue ? ReadConsistency.any : .majority
    let contentLength = try fields.contentLength()
    guard head.status == 206 else {
      guard let byteCount = head.status == 304 ? 0 : contentLength else { throw .bad("a value without Content-Length") }
      var value = ValueHead(
        byteCount: byteCount, checksum: checksum(fields), modifiedAt: modifiedAt, fields: kept)
      (value.upload, value.consistency) = (upload, consistency)
      return value
    }
    guard let (range, byteCount) = fields["Content-Range"].flatMap(ContentRange.parse), range.count == contentLength
    else {
      throw .bad("a partial value whose Content-Range and Content-Length do not agree")
    }
    var value = ValueHead(
      byteCount: byteCount, checksum: checksum(fields), modifiedAt: modifiedAt, fields: kept)
    (value.range, value.upload, value.consistency) = (range, upload, consistency)
    return value
  }

  /// An error that the owner answered with. It has escaped what it quotes, so backslashes stay: a client reads the
  /// same line from whichever node it asked.
  package static func failure(
    status: Int, outcome: String? = nil, text: ArraySlice<UInt8>, from owner: Peer
  ) -> Failure {
    let backslash = UInt8(ascii: "\\")
    let line = text.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
      .split(separator: backslash, omittingEmptySubsequences: false)
      .map { PrintableText.escape(Array($0)) }
      .joined(separator: "\\")
    let message = line.isEmpty ? "\(owner) answered with status \(status)" : line
    // Whoever asks was let in by this node: that the other one does not let this one in is no fault of his.
    let kind = [401, 403].contains(status) ? .unavailable : Failure.Kind(rawValue: status) ?? .unavailable
    return Failure(
      kind, message, outcome: outcome.flatMap(WriteOutcome.init))
  }

  /// Whether the beginning of a head, which may be too long to be read, has the mark of a relaying node.
  package static func isMarked(_ head: ArraySlice<UInt8>) -> Bool {
    let line = Array("\r\n\(nodeField.lowercased()):".utf8)
    let bytes = head.prefix(HTTPHeadLimits.headBytesMax).map(HTTPByte.lowercased)
    return bytes.indices.contains { bytes[$0] == line[0] && bytes[$0...].starts(with: line) }
  }

  /// The mark in a request's fields, or nil where no node relayed it.
  package static func mark(_ fields: HTTPFields) throws(Failure) -> RelayMark? {
    switch (fields[nodeField], fields[fingerprintField]) {
    case (nil, nil): return nil
    case (let node?, let fingerprint?):
      return RelayMark(
        node: PrintableText.escape(Array(node.utf8.prefix(64))),
        fingerprint: PrintableText.escape(Array(fingerprint.utf8.prefix(64))), layout: try layoutMark(fields))
    default: throw Failure(.badRequest, "\(nodeField) and \(fingerprintField) come together or not at all")
    }
  }

  private static func layoutMark(_ fields: HTTPFields) throws(Failure) -> LayoutMark? {
    guard let text = fields[layoutField] else { return nil }
    let words = text.split(separator: " ")
    guard words.count == 2, words[0].utf8.count == 32,
      words[0].utf8.allSatisfy({ HTTPByte.hexadecimalValue($0) != nil }),
      let version = Int(decimalDigits: String(words[1])).map(UInt64.init)
    else { throw Failure(.badRequest, "\(layoutField) is not a cluster's name and a version") }
    return LayoutMark(cluster: String(words[0]), version: version)
  }

  package static func statedValueBytes(_ fields: HTTPFields) throws(Failure) -> Int? {
    guard let text = fields[valueBytesField] else { return nil }
    guard let byteCount = Int(decimalDigits: text) else {
      throw Failure(.badRequest, "\(valueBytesField) is no number")
    }
    return byteCount
  }

  private static func checksum(_ fields: HTTPFields) -> ValueChecksum? {
    guard let tag = fields["ETag"], let parsed = try? EntityTagList.parseTag(tag), !parsed.isWeak else { return nil }
    return ValueChecksum(entityTag: parsed.opaque)
  }
}
