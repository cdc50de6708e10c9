import KVCore
import KVDialect
import KVHTTP
import KVWire

/// Why another node did not answer as it should.
enum PeerError: Error {
  /// It closed the connection before the first byte of an answer.
  case closed
  /// The connection failed or stood still.
  case stream(StreamError)
  /// It took no request: the line of a node that has so many connections that it cannot even tell their dialect.
  case turnedAway(reason: String)
  /// What it says is not the protocol.
  case malformed(HTTPSyntaxError)

  /// Tells from the bytes, which are no answer in HTTP.
  init(notHTTP bytes: ArraySlice<UInt8>, _ error: HTTPSyntaxError) {
    let line = bytes.prefix { $0 != UInt8(ascii: "\n") }
    guard let reason = ClassicDialect.failureReason(line), line.count < bytes.count else {
      self = .malformed(error)
      return
    }
    self = .turnedAway(reason: PrintableText.escape(Array(reason.prefix(PeerProtocol.errorTextBytesMax))))
  }

  /// Whether a connection from the pool may have been closed by the other node before the request got there.
  var mayBeStale: Bool {
    switch self {
    case .stream(.failed(let error)): !error.isTimeout
    case .closed: true
    case .stream, .turnedAway, .malformed: false
    }
  }

  /// Whether the other node did not react at all, which is worse than an answer that is wrong.
  var isSilence: Bool {
    switch self {
    case .stream(.timedOut): true
    case .stream(.failed(let error)): error.isTimeout
    case .closed, .stream, .turnedAway, .malformed: false
    }
  }

  /// Whether the other node has reacted, if only to say something else than what it should. A connection of the pool that
  /// it closed earlier says nothing.
  var isReaction: Bool {
    switch self {
    case .turnedAway, .malformed: true
    case .closed, .stream: false
    }
  }

  /// The error as it is counted.
  var kind: PeerFailure {
    switch self {
    case .malformed: .malformed
    case .turnedAway: .refused
    case .closed, .stream: isSilence ? .silent : .broken
    }
  }

  /// The error as it is told to whoever asked.
  func failure(_ subject: String, _ peer: Peer) -> Failure {
    let what =
      switch self {
      case .closed: "closed the connection without an answer"
      case .stream(.timedOut): "did not answer in time (IdleTimeout=)"
      case .stream(let error): "failed: \(error)"
      case .turnedAway(let reason): "takes no request: \(reason)"
      case .malformed(let error): "answered with something that is not the protocol: \(error)"
      }
    return Failure(.unavailable, "\(subject): \(peer) \(what)")
  }
}

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

  /// Whether the node has answered all the same.
  var isAnswer: Bool { self == .refused }
}
