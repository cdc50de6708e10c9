import KVCore
import KVLinux

/// Why another node did not answer as it should.
enum PeerError: Error {
  /// It closed the connection before the first byte of an answer.
  case closed
  /// The connection failed or stood still.
  case stream(StreamError)
  /// What it says is not the protocol.
  case malformed(HTTPSyntaxError)

  /// Whether a connection from the pool may have been closed by the other node before the request got there.
  var mayBeStale: Bool {
    switch self {
    case .stream(.failed(let error)): !error.isTimeout
    case .closed: true
    case .stream, .malformed: false
    }
  }

  /// Whether the other node did not react at all, which is worse than an answer that is wrong.
  var isSilence: Bool {
    switch self {
    case .stream(.timedOut): true
    case .stream(.failed(let error)): error.isTimeout
    case .closed, .stream, .malformed: false
    }
  }

  /// The error as it is counted.
  var kind: PeerFailure {
    switch self {
    case .malformed: .malformed
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
      case .malformed(let error): "answered with something that is not the protocol: \(error)"
      }
    return Failure(.unavailable, "\(subject): \(peer) \(what)")
  }
}
