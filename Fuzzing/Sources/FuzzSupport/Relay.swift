import KVCore
import KVDialect
import KVHTTP

/// Checks that the owner of a key understands a request, relayed to it, as the node did that was asked.
package func checkRelay(_ request: ValueRequest) {
  let bytes = PeerProtocol.head(request, to: Fixture.owner, mark: Fixture.mark).encoded()
  let head = requestHead(bytes, limits: .ofRelays)
  require(
    bytes.count <= HTTPHeadLimits.headBytesMax || PeerProtocol.isMarked(bytes[...]),
    "a head that has become too long for a client's is known for a relay's")
  let asked = mustSucceed("a relayed request is one") { () throws(Failure) in
    try HTTPDialect.request(head, now: Fixture.now)
  }
  guard case .value(let relayed) = asked else { fatalError("a relayed request is about a value") }
  require(relayed.operation == request.operation && relayed.key == request.key, "the owner is asked the same")
  require(relayed.relayed == Fixture.mark, "the relay's mark arrives")
  require(relayed.preconditions == request.preconditions, "the conditions arrive")
  require(relayed.range == request.range, "the range arrives")
  require(relayed.fields == request.fields, "what is kept arrives")
  require(relayed.digests == request.digests, "the digests arrive")
  require(relayed.idempotencyKey == request.idempotencyKey, "the idempotency key arrives")
  require(ValueFields(decoding: request.fields.encoded) == request.fields, "what is kept is read back from the file")
  guard request.operation == .put else {
    require(relayed.body == .none, "what is no PUT has no body")
    return
  }
  require(relayed.body == PeerProtocol.bodyFraming(request), "the value is framed as was said")
  require(relayed.valueBytes == request.valueBytes, "the value's length arrives")
  require(head.expectsContinue, "a value asks first")
}
