import KVCluster
import KVCore

/// A message under way. It arrives if the way is open then and the host is up; what a process sends to itself, if it is
/// still the same one.
class Parcel {
  /// What is lost, late or repeated more often than other messages in some worlds.
  enum Kind {
    case accept, lesson, other
  }

  let kind: Kind
  let source: Host
  let target: Host
  let boot: Int

  init(_ kind: Kind = .other, from source: Host, to target: Host) {
    (self.kind, self.source, self.target, boot) = (kind, source, target, source.boot)
  }

  func arrive() {}
}

/// Has something done at a host.
final class Call: Parcel {
  private let body: (Host) -> Void

  init(from source: Host, to target: Host, _ body: @escaping (Host) -> Void) {
    self.body = body
    super.init(from: source, to: target)
  }

  override func arrive() { body(target) }
}

final class Question: Parcel {
  private let inquiry: Inquiry
  private let asked: Member

  init(_ inquiry: Inquiry, _ asked: Member, to target: Host) {
    (self.inquiry, self.asked) = (inquiry, asked)
    super.init(inquiry.kind, from: inquiry.host, to: target)
  }

  override func arrive() { target.handle(inquiry, asked) }
}

final class Answer: Parcel {
  private let reply: Reply
  private let inquiry: Inquiry
  private let asked: Member

  init(_ reply: Reply, to inquiry: Inquiry, _ asked: Member, from owner: Host) {
    (self.reply, self.inquiry, self.asked) = (reply, inquiry, asked)
    super.init(from: owner, to: inquiry.host)
  }

  override func arrive() { if inquiry.boot.map(target.isUp(since:)) ?? true { inquiry.take?(reply, asked) } }
}

/// A request about a key that goes to one owner or several, and where the answers go.
final class Inquiry {
  let host: Host
  /// The process that waits for the answers; nil where any will do.
  let boot: Int?
  let request: RegisterRequest
  let key: Int
  /// The layout by which the owners are asked.
  let known: DecidedLayout
  /// What is done with an answer; nil where none is wanted.
  let take: ((Reply, _ asked: Member) -> Void)?

  init(
    _ host: Host, boot: Int?, _ request: RegisterRequest, _ key: Int, _ known: DecidedLayout,
    take: ((Reply, Member) -> Void)?
  ) {
    (self.host, self.boot, self.request, self.key, self.known, self.take) = (host, boot, request, key, known, take)
  }

  var kind: Parcel.Kind {
    switch request {
    case .accept: .accept
    case .learn: .lesson
    case .read, .prepare, .purge: .other
    }
  }
}

/// The ways between the hosts and what is still to happen, with the clock and the chance that decide about it. It is one
/// value, so that it costs one look for each event.
struct Network {
  let options: Options
  var random: Randomness
  private(set) var now = 0.0
  var counts = Counts()
  /// Whether nothing is lost or late any more.
  var isCalm = false
  private var agenda = Agenda()
  /// The cut ways, a bit for each pair of hosts.
  private var cuts: UInt64 = 0

  init(_ options: Options, _ random: Randomness) {
    self.options = options
    self.random = random
  }

  mutating func add(_ event: Agenda.Event, after delay: Double) { agenda.add(event, at: now + delay) }

  /// What happens next, once it is time.
  mutating func next() -> Agenda.Event? {
    guard let (time, event) = agenda.next() else { return nil }
    now = time
    return event
  }

  mutating func forgetAll() { agenda = Agenda() }

  /// Sends a message, which gets there once, twice or never.
  mutating func send(_ parcel: Parcel) {
    if parcel.source === parcel.target { return add(.parcel(parcel), after: 0.1) }
    if isCut(parcel) || isLost(parcel.kind) { return counts[.lostMessages] += 1 }
    let isTwice = random.chance(options.duplication)
    if isTwice { counts[.doubledMessages] += 1 }
    for _ in 0..<(isTwice ? 2 : 1) {
      let isSlow = isLate(parcel.kind)
      if isSlow { counts[.lateMessages] += 1 }
      add(.parcel(parcel), after: isSlow ? random.ticks(options.slowTicks) : random.ticks(0.5...4))
    }
    guard parcel.kind == .lesson, !isCalm, random.chance(options.lateLessons) else { return }
    counts[.lateMessages] += 1
    add(.parcel(parcel), after: random.ticks(options.slowTicks))
  }

  private mutating func isLost(_ kind: Parcel.Kind) -> Bool {
    if isCalm { return false }
    if kind == .accept, random.chance(options.acceptLoss) { return true }
    return random.chance(options.loss)
  }

  private mutating func isLate(_ kind: Parcel.Kind) -> Bool {
    if isCalm { return false }
    if kind == .accept, random.chance(options.acceptSlowness) { return true }
    return random.chance(options.slowness)
  }

  // MARK: Cuts

  func arrives(_ parcel: Parcel) -> Bool {
    if parcel.source === parcel.target { return parcel.target.isUp(since: parcel.boot) }
    return parcel.target.isUp && !isCut(parcel)
  }

  private func isCut(_ parcel: Parcel) -> Bool { cuts & way(parcel.source.index, parcel.target.index) != 0 }

  /// The way from one host to another, as a bit.
  func way(_ source: Int, _ target: Int) -> UInt64 { 1 << UInt64(source * options.hostCount + target) }

  mutating func cut(_ ways: UInt64) { cuts |= ways }
  mutating func mend(_ ways: UInt64) { cuts &= ~ways }
}
