import KVLinux
import Synchronization

/// Counts connections and says what happens to the next one. Clients and other nodes are counted apart, so that neither
/// can shut the other out.
///
/// Whether a connection is another node's is known from its first request alone. So past the limit of clients one gets a
/// place where its request is awaited: another node is served then, and a client told that there are too many. These
/// places are few, and the newest comer takes the one of whoever has kept his waiting for longest.
final class Admission: Sendable {
  /// How many connections there may be.
  struct Limits: Sendable, Equatable {
    let clientsMax: Int
    let peersMax: Int
  }

  /// What a connection counts as.
  fileprivate enum Kind {
    case client
    case peer
    /// Nobody knows yet; there was no room for a client when it came.
    case undecided(UInt64)
  }

  private struct State {
    var clientCount = 0
    var peerCount = 0
    var lastNumber: UInt64 = 0
    /// Those that are undecided, in the order they came.
    var undecided: [(number: UInt64, interrupter: Interrupter)] = []
    /// Those that had to give up such a place and have not closed yet.
    var leavingCount = 0

    mutating func leave(_ kind: Kind) {
      switch kind {
      case .client: clientCount -= 1
      case .peer: peerCount -= 1
      case .undecided(let number):
        if let index = undecided.firstIndex(where: { $0.number == number }) {
          undecided.remove(at: index)
        } else {
          leavingCount -= 1
        }
      }
    }
  }

  private static let undecidedMax = 64
  private static let leavingMax = 64
  /// How many descriptors the places beyond the limits may take.
  static let undecidedDescriptorsMax = undecidedMax + leavingMax

  private let state = Mutex(State())

  /// How many connections are being served: of clients, and of other nodes.
  var counts: (clients: Int, peers: Int) { state.withLock { ($0.clientCount, $0.peerCount) } }

  /// How many connections are being served.
  var servedCount: Int { state.withLock { $0.clientCount + $0.peerCount } }

  /// A place for a new connection, or nil where so many come at once that none can be given.
  func enter(_ limits: Limits) -> Place? {
    let (kind, interrupter, evicted) = state.withLock { state -> (Kind?, Interrupter?, Interrupter?) in
      if state.clientCount < limits.clientsMax {
        state.clientCount += 1
        return (.client, nil, nil)
      }
      guard state.leavingCount < Self.leavingMax else { return (nil, nil, nil) }
      let interrupter = Interrupter()
      state.lastNumber += 1
      state.undecided.append((state.lastNumber, interrupter))
      guard state.undecided.count > Self.undecidedMax else { return (.undecided(state.lastNumber), interrupter, nil) }
      state.leavingCount += 1
      return (.undecided(state.lastNumber), interrupter, state.undecided.removeFirst().interrupter)
    }
    evicted?.interrupt()
    guard let kind else { return nil }
    return Place(admission: self, limits: limits, kind: kind, interrupter: interrupter)
  }

  /// Counts a connection by what its request shows it to be. Nil where there is no room for it.
  fileprivate func settle(_ kind: Kind, asPeer isPeer: Bool, _ limits: Limits) -> Kind? {
    state.withLock { state in
      if case .peer = kind { return kind }
      if isPeer, state.peerCount < limits.peersMax {
        state.leave(kind)
        state.peerCount += 1
        return .peer
      }
      if case .client = kind { return kind }
      guard !isPeer, state.clientCount < limits.clientsMax else { return nil }
      state.leave(kind)
      state.clientCount += 1
      return .client
    }
  }

  fileprivate func leave(_ kind: Kind) { state.withLock { $0.leave(kind) } }
}

/// A connection's place among the others, given back when it goes away.
struct Place: ~Copyable, Sendable {
  private let admission: Admission
  private let limits: Admission.Limits
  private var kind: Admission.Kind
  /// Ends what the connection waits for, where another needs its place more.
  let interrupter: Interrupter?

  fileprivate init(
    admission: Admission, limits: Admission.Limits, kind: Admission.Kind, interrupter: Interrupter?
  ) {
    self.admission = admission
    self.limits = limits
    self.kind = kind
    self.interrupter = interrupter
  }

  /// Says who has turned out to be at the other end. False where there is no room for him.
  mutating func settle(asPeer isPeer: Bool) -> Bool {
    guard let settled = admission.settle(kind, asPeer: isPeer, limits) else { return false }
    kind = settled
    return true
  }

  deinit { admission.leave(kind) }
}
