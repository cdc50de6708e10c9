import KVHTTP

/// What a request came to, before a dialect puts it into bytes.
package enum Response: Equatable, Sendable {
  /// The value is durable on its owner; `created` tells whether the key had none before.
  case stored(Key, checksum: ValueChecksum?, created: Bool?)
  /// The value's bytes, or the part asked for, follow, unless only the head was asked for.
  case value(ValueHead)
  /// The client has the value already.
  case notModified(ValueHead)
  /// The value has so many bytes, and none where the client wants some.
  case rangeNotSatisfiable(byteCount: Int)
  /// The key has no value any more; `existed` tells whether it had one.
  case deleted(Key, existed: Bool)
  /// A whole JSON text about the cluster rather than a key.
  case json([UInt8])
  /// What only nodes tell each other.
  case message([UInt8])
  /// A text for people and programs about the node rather than a key.
  case text(String)
  /// Which methods there are.
  case methods
  /// Nothing was done, or not all of it.
  case failure(Failure)
}

/// What is told of a value ahead of its bytes.
package struct ValueHead: Equatable, Sendable {
  /// How many bytes the whole value has.
  package let byteCount: Int
  /// The part of it that is sent, or nil for all.
  package var range: Range<Int>?
  /// The value's checksum, where it was recorded.
  package let checksum: ValueChecksum?
  /// When it was committed.
  package let modifiedAt: HTTPDate
  /// What is kept beside it.
  package let fields: ValueFields
  /// With which upload it came: told to nodes that pass it on, which can have the rest from another owner of the key.
  package var upload: UploadID?
  /// What it was answered from: `any` where too few of the owners could be asked whether it is still the value.
  package var consistency = ReadConsistency.majority

  /// The head of a value.
  package init(byteCount: Int, checksum: ValueChecksum?, modifiedAt: HTTPDate, fields: ValueFields = ValueFields()) {
    self.byteCount = byteCount
    self.checksum = checksum
    self.modifiedAt = modifiedAt
    self.fields = fields
  }

  /// The offsets of what is sent.
  package var offsets: Range<Int> { range ?? 0..<byteCount }

  /// What conditions are compared with.
  package var state: ValueState { ValueState(checksum: checksum, modifiedAt: modifiedAt) }
}

/// What a GET or HEAD of a value that is there comes to.
package enum ReadOutcome {
  /// The response by the request's conditions and range (RFC 9110 sections 13.2.2 and 14.2).
  package static func response(to request: ValueRequest, _ head: ValueHead, now: HTTPDate) -> Response {
    switch request.preconditions.evaluate(head.state, for: request.operation) {
    case .notModified: return .notModified(head)
    case .failed:
      return .failure(
        Failure(.preconditionFailed, "\(request.operation.rawValue) \(request.key): the precondition does not hold"))
    case .proceed: break
    }
    // Of no bytes no part can be asked for, and all of them are the answer.
    guard head.byteCount > 0, let range = request.range.flatMap({ ByteRange(parsing: $0) }),
      request.preconditions.permitsRange(of: head.state, now: now)
    else { return .value(head) }
    guard let offsets = range.offsets(byteCount: head.byteCount) else {
      return .rangeNotSatisfiable(byteCount: head.byteCount)
    }
    var part = head
    part.range = offsets
    return .value(part)
  }
}
