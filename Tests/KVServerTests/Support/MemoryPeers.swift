import KVCore
import KVHTTP

@testable import KVServer

/// Other nodes that answer from memory.
struct MemoryPeers: PeerQuestions {
  let answers: [String: String]

  func ask(_ question: PeerQuestion, of peer: Peer, _ limits: Limits) async throws(ExchangeError) -> [UInt8] {
    guard let answer = answers[peer.name] else {
      throw .refused(Failure(.unavailable, "\(question.subject): \(peer.name) is away"))
    }
    return Array(answer.utf8)
  }

  func malformed(_ error: HTTPSyntaxError, _ question: PeerQuestion, of peer: Peer) -> ExchangeError {
    .refused(Failure(.unavailable, "\(question.subject): \(peer.name): \(error)"))
  }
}
