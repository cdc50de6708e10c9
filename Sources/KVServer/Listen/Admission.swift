import KVLinux
import Synchronization

/// Counts connections and says what happens to the next one. Clients and other nodes are counted apart, so that neither
/// can shut the other out.
///
/// Whether a connection is another node's is known from its first request alone. So past the limit of clients one gets a
/// place where its request is awaited: another node is served then, and a client told that there are too many. These
/// places are few, and the newest comer takes the one of whoever has kept his waiting for longest. Likewise another
/// node's connection takes the place of the one that has been idle for longest: nodes keep some for their next request.
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
    /// Another node's, in a client's place: there was no other.
    case guest
    /// Nobody knows yet; there was no room for a client when it came.
    case undecided
  }

  /// Those who may have to give up their places, in the order they began to wait.
  fileprivate struct Waiting {
    private var entries: [UInt64: (kind: Kind, interrupter: Interrupter)] = [:]
    private var lastNumber: UInt64 = 0

    var count: Int { entries.count }

    mutating func add(_ kind: Kind, _ interrupter: Interrupter) -> UInt64 {
      lastNumber += 1
      entries[lastNumber] = (kind, interrupter)
      return lastNumber
    }

    func contains(_ number: UInt64) -> Bool { entries[number] != nil }

    /// False where it has been made to give up its place.
    mutating func remove(_ number: UInt64) -> Bool { entries.removeValue(forKey: number) != nil }

    mutating func removeOldest() -> (kind: Kind, interrupter: Interrupter)? {
      entries.keys.min().flatMap { entries.removeValue(forKey: $0) }
    }
  }

  fileprivate struct State {
    var clientCount = 0
    var peerCount = 0
    var leavingCount = 0
    var undecided = Waiting()
    /// Connections of other nodes between two requests.
    var idlePeers = Waiting()
  }

  private static let undecidedMax = 32
  private static let leavingMax = 32

  private let state = Mutex(State())

  /// How many connections are being served: of clients, and of other nodes.
  var counts: (clients: Int, peers: Int) { state.withLock { ($0.clientCount, $0.peerCount) } }

  /// How many connections are being served.
  var servedCount: Int { state.withLock { $0.clientCount + $0.peerCount } }

  /// A place for a new connection, or nil where so many come at once that none can be given.
  func enter(_ limits: Limits) -> Place? {
    let interrupter = Interrupter()
    let (place, evicted) = state.withLock { state -> (Place.Start?, Interrupter?) in
      if state.clientCount < limits.clientsMax {
        state.clientCount += 1
        return (Place.Start(kind: .client, number: nil), nil)
      }
      guard state.leavingCount < Self.leavingMax else { return (nil, nil) }
      let number = state.undecided.add(.undecided, interrupter)
      guard state.undecided.count > Self.undecidedMax, let evicted = state.undecided.removeOldest() else {
        return (Place.Start(kind: .undecided, number: number), nil)
      }
      state.leavingCount += 1
      return (Place.Start(kind: .undecided, number: number), evicted.interrupter)
    }
    evicted?.interrupt()
    return place.map { Place(self, limits, $0, interrupter) }
  }

  /// A connection's request shows what it is. Nil where there is no room for it, or its place has been given away.
  fileprivate func settle(_ place: borrowing Place, asPeer isPeer: Bool) -> Kind? {
    let (kind, evicted) = state.withLock { state -> (Kind?, Interrupter?) in
      // Between two requests it may have been made to go.
      if place.isResting, let number = place.number, !state.idlePeers.remove(number) { return (nil, nil) }
      if case .peer = place.kind { return (.peer, nil) }
      let evicted = isPeer && state.peerCount >= place.limits.peersMax ? state.evictIdlePeer(Self.leavingMax) : nil
      if isPeer, state.peerCount < place.limits.peersMax {
        state.leave(place.kind, place.isResting ? nil : place.number)
        state.peerCount += 1
        return (.peer, evicted)
      }
      guard case .undecided = place.kind else { return (isPeer ? .guest : .client, evicted) }
      guard !isPeer, state.clientCount < place.limits.clientsMax else { return (nil, evicted) }
      state.leave(place.kind, place.number)
      state.clientCount += 1
      return (.client, evicted)
    }
    evicted?.interrupt()
    return kind
  }

  /// Another node's connection has nothing to do until its next request.
  fileprivate func rest(_ kind: Kind, _ interrupter: Interrupter) -> UInt64 {
    state.withLock { $0.idlePeers.add(kind, interrupter) }
  }

  fileprivate func isGivenUp(_ number: UInt64?) -> Bool {
    guard let number else { return false }
    return state.withLock { !$0.idlePeers.contains(number) }
  }

  fileprivate func leave(_ kind: Kind, _ number: UInt64?) { state.withLock { $0.leave(kind, number) } }
}

extension Admission.State {
  /// Gives a place back; `number` is that under which the connection waits.
  fileprivate mutating func leave(_ kind: Admission.Kind, _ number: UInt64?) {
    if case .undecided = kind {
      if let number, !undecided.remove(number) { leavingCount -= 1 }
    } else if let number, !idlePeers.remove(number) {
      leavingCount -= 1
    } else {
      giveBack(kind)
    }
  }

  fileprivate mutating func evictIdlePeer(_ leavingMax: Int) -> Interrupter? {
    guard leavingCount < leavingMax, let evicted = idlePeers.removeOldest() else { return nil }
    giveBack(evicted.kind)
    leavingCount += 1
    return evicted.interrupter
  }

  private mutating func giveBack(_ kind: Admission.Kind) {
    switch kind {
    case .client, .guest: clientCount -= 1
    case .peer: peerCount -= 1
    case .undecided: preconditionFailure("whoever is undecided has no place to give back")
    }
  }
}

/// A connection's place among the others, given back when it goes away.
struct Place: ~Copyable, Sendable {
  fileprivate struct Start {
    let kind: Admission.Kind
    let number: UInt64?
  }

  private let admission: Admission
  fileprivate let limits: Admission.Limits
  fileprivate var kind: Admission.Kind
  /// Under which it waits, if it does.
  fileprivate var number: UInt64?
  /// Ends what the connection waits for, where another needs its place more.
  private(set) var interrupter: Interrupter

  fileprivate init(
    _ admission: Admission, _ limits: Admission.Limits, _ start: Start, _ interrupter: Interrupter
  ) {
    self.admission = admission
    self.limits = limits
    self.interrupter = interrupter
    (kind, number) = (start.kind, start.number)
  }

  /// Whether it had to give up its place between two requests: whoever is at the other end asks again elsewhere.
  var isGivenUp: Bool { isResting && admission.isGivenUp(number) }

  /// Whether nobody knows yet if there is room for it.
  var isUndecided: Bool { if case .undecided = kind { true } else { false } }

  /// Whether it waits between two requests of another node.
  fileprivate var isResting: Bool { if case .undecided = kind { false } else { number != nil } }

  /// Says who has turned out to be at the other end. False where there is no room for him.
  mutating func settle(asPeer isPeer: Bool) -> Bool {
    guard let settled = admission.settle(self, asPeer: isPeer) else { return false }
    // It may have been asked to go in the very moment in which it turned out to have a place.
    if isUndecided { interrupter = Interrupter() }
    (kind, number) = (settled, nil)
    return true
  }

  /// Says that the connection has nothing to do until its next request.
  mutating func rest() {
    guard number == nil else { return }
    switch kind {
    case .peer, .guest: number = admission.rest(kind, interrupter)
    case .client, .undecided: return
    }
  }

  deinit { admission.leave(kind, number) }
}
