/// What a client or another node asks of this one, in whatever dialect it was said.
public struct Request: Equatable, Sendable {
  /// What is asked.
  public let operation: Operation
  /// About which key.
  public let key: Key
  /// Where the request's body ends; `.none` for GET and DEL.
  public let body: BodyFraming
  /// How many bytes the value is meant to have, where that was said. A classic PUT may say so and is still
  /// ended by the end of the stream.
  public let valueBytes: Int?
  /// Set when another node relayed the request.
  public let relayed: RelayMark?

  /// A request as a dialect read it.
  public init(
    operation: Operation, key: Key, body: BodyFraming = .none, valueBytes: Int? = nil, relayed: RelayMark? = nil
  ) {
    self.operation = operation
    self.key = key
    self.body = body
    self.valueBytes = valueBytes
    self.relayed = relayed
  }
}

/// What a node says of itself when it relays a request: by it the owner finds out disagreements and loops.
public struct RelayMark: Equatable, Sendable {
  /// The relaying node's name.
  public let node: String
  /// The fingerprint of the peer list that the relaying node goes by.
  public let fingerprint: String

  /// A mark to be sent or as received.
  public init(node: String, fingerprint: String) {
    self.node = node
    self.fingerprint = fingerprint
  }
}
