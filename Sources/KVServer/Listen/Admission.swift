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
    /// Nobody knows yet; there was no room for a client when it came.
    case undecided
  }

  /// Those who may have to give up their places, in the order they began to wait.
  fileprivate struct Waiting {
    private var interrupters: [UInt64: Interrupter] = [:]
    private var lastNumber: UInt64 = 0

    var count: Int { interrupters.count }

    mutating func add(_ interrupter: Interrupter) -> UInt64 {
      lastNumber += 1
      interrupters[lastNumber] = interrupter
      return lastNumber
    }

    /// False where it has been made to give up its place.
    mutating func remove(_ number: UInt64) -> Bool { interrupters.removeValue(forKey: number) != nil }

    mutating func removeOldest() -> Interrupter? {
      interrupters.keys.min().flatMap { interrupters.removeValue(forKey: $0) }
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
      let number = state.undecided.add(interrupter)
      guard state.undecided.count > Self.undecidedMax, let evicted = state.undecided.removeOldest() else {
        return (Place.Start(kind: .undecided, number: number), nil)
      }
      state.leavingCount += 1
      return (Place.Start(kind: .undecided, number: number), evicted)
    }
    evicted?.interrupt()
    return place.map { Place(self, limits, $0, interrupter) }
  }

  /// A connection's request shows what it is. Nil where there is no room for it, or its place has been given away.
  fileprivate func settle(_ place: borrowing Place, asPeer isPeer: Bool) -> Kind? {
    let (kind, evicted) = state.withLock { state -> (Kind?, Interrupter?) in
      switch place.kind {
      case .peer:
        // Between two requests it may have been made to go.
        return (place.number.map { state.idlePeers.remove($0) } ?? true ? .peer : nil, nil)
      case .client:
        guard isPeer, state.peerCount < place.limits.peersMax else { return (.client, nil) }
        state.clientCount -= 1
        state.peerCount += 1
        return (.peer, nil)
      case .undecided:
        var evicted: Interrupter?
        if isPeer, state.peerCount >= place.limits.peersMax { evicted = state.evictIdlePeer(leavingMax: Self.leavingMax) }
        let hasRoom = isPeer ? state.peerCount < place.limits.peersMax : state.clientCount < place.limits.clientsMax
        guard hasRoom else { return (nil, evicted) }
        state.leaveWaiting(place.number)
        if isPeer { state.peerCount += 1 } else { state.clientCount += 1 }
        return (isPeer ? .peer : .client, evicted)
      }
    }
    evicted?.interrupt()
    return kind
  }

  /// Another node's connection has nothing to do until its next request.
  fileprivate func rest(_ interrupter: Interrupter) -> UInt64 {
    state.withLock { $0.idlePeers.add(interrupter) }
  }

  fileprivate func leave(_ kind: Kind, _ number: UInt64?) {
    state.withLock { state in
      switch kind {
      case .client: state.clientCount -= 1
      case .peer:
        if let number, !state.idlePeers.remove(number) { state.leavingCount -= 1 } else { state.peerCount -= 1 }
      case .undecided: state.leaveWaiting(number)
      }
    }
  }
}

extension Admission.State {
  fileprivate mutating func leaveWaiting(_ number: UInt64?) {
    if let number, !undecided.remove(number) { leavingCount -= 1 }
  }

  fileprivate mutating func evictIdlePeer(leavingMax: Int) -> Interrupter? {
    guard leavingCount < leavingMax, let evicted = idlePeers.removeOldest() else { return nil }
    peerCount -= 1
    leavingCount += 1
    return evicted
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
  let interrupter: Interrupter

  fileprivate init(
    _ admission: Admission, _ limits: Admission.Limits, _ start: Start, _ interrupter: Interrupter
  ) {
    self.admission = admission
    self.limits = limits
    self.interrupter = interrupter
    (kind, number) = (start.kind, start.number)
  }

  /// Whether nobody knows yet if there is room for it.
  var isUndecided: Bool { if case .undecided = kind { true } else { false } }

  /// Says who has turned out to be at the other end. False where there is no room for him.
  mutating func settle(asPeer isPeer: Bool) -> Bool {
    guard let settled = admission.settle(self, asPeer: isPeer) else { return false }
    (kind, number) = (settled, nil)
    return true
  }

  /// Says that the connection has nothing to do until its next request.
  mutating func rest() {
    if case .peer = kind, number == nil { number = admission.rest(interrupter) }
  }

  deinit { admission.leave(kind, number) }
}
