import KVHTTP

/// What a client or another node asks of this one, in whatever dialect it was said. It is passed through many hands, each
/// of which would hold all of it.
package indirect enum Request: Equatable, Sendable {
  /// Something about the value of a key.
  case value(ValueRequest)
  /// Which keys there are.
  case list(ListRequest)
  /// Something about this node rather than a key, asked by a client or, with its mark, by another node.
  case node(NodeRequest, relayed: RelayMark? = nil)
  /// What only nodes ask each other; the body says what.
  case message(RelayMark)

  /// The request in words, for errors: `GET mykey`.
  package var subject: String { if case .value(let request) = self { request.subject } else { operationName } }

  /// The request in one word.
  package var operationName: String {
    switch self {
    case .value(let request): request.operation.rawValue
    case .list: "LIST"
    case .node(let request, _): request.name
    case .message: "MESSAGE"
    }
  }

  /// Whether a body belongs to it: one that comes with any other request must turn out to be empty.
  package var hasBody: Bool {
    switch self {
    case .value(let request): request.operation == .put
    case .list, .node: false
    case .message: true
    }
  }

  /// Set when another node asks, for a client or for itself.
  package var relayed: RelayMark? {
    switch self {
    case .value(let request): request.relayed
    case .list(let request): request.relayed
    case .node(_, let mark): mark
    case .message(let mark): mark
    }
  }
}

/// What is asked about a node itself.
package enum NodeRequest: Equatable, Sendable {
  /// What it is and how it does, in figures.
  case status
  /// Which layout it goes by, and who wishes what: for programs of this source tree, or as JSON for everybody else.
  case layout(isBinary: Bool)
  /// Whether it does well, for whoever chooses among nodes.
  case health
  /// What answers here, for people.
  case welcome
  /// Which methods there are for a key.
  case methods
  /// The same of the node as a whole, which has none while it does not do well.
  case methodsOfNode

  /// The question in one word.
  package var name: String {
    switch self {
    case .status: "STATUS"
    case .layout: "LAYOUT"
    case .health: "HEALTH"
    case .welcome: "WELCOME"
    case .methods, .methodsOfNode: "OPTIONS"
    }
  }
}

/// What a client or another node asks of this one about a key, in whatever dialect it was said.
package struct ValueRequest: Equatable, Sendable {
  /// What is asked.
  package let operation: Operation
  /// About which key.
  package let key: Key
  /// Where the request's body ends; `.none` for all but PUT.
  package var body = BodyFraming.none
  /// How many bytes the value is meant to have, where that was said. A classic PUT may say so and is still
  /// ended by the end of the stream.
  package var valueBytes: Int?
  /// What is to be kept beside a value that is stored.
  package var fields = ValueFields()
  /// The digests that a value to be stored must have, as the client's fields say it.
  package var digests: [StatedDigest] = []
  /// By what a value that is stored is recognised when it comes once more.
  package var idempotencyKey: IdempotencyKey?
  /// Under which conditions the request is to be carried out.
  package var preconditions = Preconditions()
  /// The Range field as it was sent.
  package var range: String?
  /// What a read may be answered from, where that was said.
  package var consistency: ReadConsistency?
  /// Set when another node relayed the request.
  package var relayed: RelayMark?
  /// The upload whose bytes another node wants, wherever they lie here; or which it brings, or takes back.
  package var upload: UploadID?

  /// The request in words, for errors: `GET mykey`.
  package var subject: String { "\(operation.rawValue) \(key)" }

  /// A request without any of its options.
  package init(_ operation: Operation, _ key: Key) {
    self.operation = operation
    self.key = key
  }
}

/// What a client may ask for about one key.
package enum Operation: String, Sendable, CaseIterable {
  case put = "PUT"
  case get = "GET"
  /// What GET would answer, without the value.
  case head = "HEAD"
  case delete = "DEL"

  /// Whether it leaves everything as it is.
  package var isRead: Bool { self == .get || self == .head }

  /// The operation's method in HTTP.
  package var method: String { self == .delete ? "DELETE" : rawValue }

  /// The operation of a method, or nil for one that kvnode does not have.
  package init?(method: String) {
    guard let operation = Self.allCases.first(where: { $0.method == method }) else { return nil }
    self = operation
  }
}

/// What a read may be answered from, where a key has several owners.
package enum ReadConsistency: String, Sendable, WordSetting {
  /// What most of the owners agree on: nothing that was shown or acknowledged is ever taken back.
  case majority
  /// That too, and while too few of the owners can be asked, whatever one of them has, which may be out of date.
  case any
}

/// What a node says of itself when it relays a request: by it the owner finds out disagreements and loops.
/// Each request holds it, so it is shared.
package final class RelayMark: Equatable, Sendable {
  /// The relaying node's name.
  package let node: String
  /// The fingerprint of the peer list that the relaying node goes by.
  package let fingerprint: String

  /// The layout that the relaying node goes by, once there is one.
  package let layout: LayoutMark?

  /// A mark to be sent or as received.
  package init(node: String, fingerprint: String, layout: LayoutMark? = nil) {
    self.node = node
    self.fingerprint = fingerprint
    self.layout = layout
  }

  /// Whether both say the same.
  package static func == (one: RelayMark, other: RelayMark) -> Bool {
    (one.node, one.fingerprint, one.layout) == (other.node, other.fingerprint, other.layout)
  }
}

/// Which layout a node goes by.
package struct LayoutMark: Equatable, Sendable {
  /// The cluster's name, 32 hex digits.
  package let cluster: String
  /// The layout's version.
  package let version: UInt64

  package init(cluster: String, version: UInt64) {
    self.cluster = cluster
    self.version = version
  }
}

/// Checks a value's size as it comes, against what the client stated and what the node allows.
package struct ValueSize {
  private let key: Key
  private let stated: Int?
  private let bytesMax: Int

  package init(of request: ValueRequest, limits: Limits) {
    (key, stated) = (request.key, request.valueBytes)
    bytesMax = limits.valueBytesMax ?? .max
  }

  /// Before the first byte.
  package func checkStated() throws(Failure) {
    if let stated { try check(stated) }
  }

  /// After so many bytes.
  package func check(_ byteCount: Int) throws(Failure) {
    guard byteCount <= bytesMax else {
      throw Failure(
        .tooLarge, "PUT \(key): the value has more than \(Counted(bytesMax, "byte")) (MaxValueSize=)")
    }
    if let stated, byteCount > stated {
      throw Failure(.badRequest, "PUT \(key): more than the stated \(Counted(stated, "byte")) arrived")
    }
  }

  /// After the last byte.
  package func checkComplete(_ byteCount: Int) throws(Failure) {
    if let stated, byteCount != stated {
      throw Failure(
        .badRequest, "PUT \(key): only \(byteCount) of the stated \(Counted(stated, "byte")) arrived")
    }
  }
}
