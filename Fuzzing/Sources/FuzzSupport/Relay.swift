import KVCore
import KVDialect
import KVHTTP

/// Checks that the owner of a key understands a request, relayed to it, as the node did that was asked.
package func checkRelay(_ request: ValueRequest) {
  let bytes = PeerProtocol.head(request, to: Fixture.owner, mark: Fixture.mark).encoded()
  // A head that just fits may not do so any more with what a relay adds: the owner then refuses it as too large.
  guard bytes.count <= HTTPHeadLimits.headBytesMax else { return }
  let head = requestHead(bytes)
  let relayed = mustSucceed("a relayed request is one") { () throws(Failure) in try HTTPDialect.valueRequest(head) }
  require(relayed.operation == request.operation && relayed.key == request.key, "the owner is asked the same")
  require(relayed.relayed == Fixture.mark, "the relay's mark arrives")
  require(relayed.preconditions == request.preconditions, "the conditions arrive")
  require(relayed.range == request.range, "the range arrives")
  require(relayed.contentType == request.contentType, "the content type arrives")
  guard request.operation == .put else {
    require(relayed.body == .none, "what is no PUT has no body")
    return
  }
  require(relayed.body == PeerProtocol.bodyFraming(request), "the value is framed as was said")
  require(relayed.valueBytes == request.valueBytes, "the value's length arrives")
  require(head.expectsContinue, "a value asks first")
}
