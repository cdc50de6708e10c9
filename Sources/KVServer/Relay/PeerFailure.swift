/// How another node failed a request, in the few words that metrics are divided by.
enum PeerFailure: String, Sendable, CaseIterable {
  /// No connection came about.
  case unreachable
  /// It was not asked, because it had kept earlier requests waiting in vain.
  case suspect
  /// It did not answer in time, or stopped in the middle.
  case silent
  /// The connection ended or was reset before the answer was whole.
  case broken
  /// What it said is not the protocol.
  case malformed
  /// It answered that it cannot.
  case refused
}
