import KVCore

/// What an owner is asked about a key.
package enum RegisterRequest: Hashable, Sendable {
  /// Say what is there.
  case read
  /// Promise to take part in no round below this one.
  case prepare(Ballot)
  /// Take what the round decides on.
  case accept(Ballot, Descriptor)
  /// Take what is known to be decided. Never sent for anything else.
  case learn(Ballot, Descriptor)
  /// Forget a deletion that all owners hold.
  case purge(Ballot)

  /// What is to be stored, if anything.
  package var descriptor: Descriptor? {
    switch self {
    case .accept(_, let descriptor), .learn(_, let descriptor): descriptor
    case .read, .prepare, .purge: nil
    }
  }
}

/// What an owner answers.
package enum RegisterAnswer: Hashable, Sendable {
  /// To `read`.
  case holds(Testimony)
  /// To `prepare`.
  case promised(Testimony)
  /// To `accept`, `learn` and `purge`: done, and durable.
  case done
  /// A higher round has been here; `accepted` is what is held now.
  case outbid(highest: Ballot, accepted: Ballot)
  /// The bytes are not here yet.
  case lacksBytes
  /// The disk cannot, or may not, take part: it is full, ill, or no longer an owner.
  case unable
}
