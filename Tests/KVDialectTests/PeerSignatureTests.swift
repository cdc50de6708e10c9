import KVCore
import KVHTTP
import Testing

@testable import KVDialect

struct PeerSignatureTests {
  private static let nonce = [UInt8](0..<16)

  /// Stands in for an HMAC: the text itself.
  private static func signed(_ change: (inout HTTPRequestHead) -> Void = { _ in }) -> HTTPRequestHead {
    var head = HTTPRequestHead(
      method: "PUT", target: HTTPTarget(key: Array("a b".utf8)),
      fields: [PeerProtocol.nodeField: "node1", PeerProtocol.fingerprintField: "f", PeerProtocol.layoutField: "c 7"])
    change(&head)
    PeerSignature.sign(&head, for: "node2", nonce: nonce) { $0 }
    return head
  }

  @Test func coversTheRequestLineTheClaimsAndTheNonce() throws {
    let signature = try #require(PeerSignature(Self.signed()))
    let text = "PUT /a%20b\nnode1\nf\nc 7\n\n\n000102030405060708090a0b0c0d0e0f\nnode2"
    #expect(String(decoding: signature.text(for: "node2"), as: UTF8.self) == text)
    #expect(signature.code == signature.text(for: "node2"))
    #expect(signature.code != signature.text(for: "node3"))
  }

  @Test func whatIsChangedOnTheWayNoLongerMatches() throws {
    let changes: [@Sendable (inout HTTPRequestHead) -> Void] = [
      { $0.method = "GET" }, { $0.target = HTTPTarget(key: Array("b".utf8)) },
      { $0.target = HTTPTarget(key: Array("a b".utf8), query: Array("list".utf8)) },
      { $0.fields.append(PeerProtocol.uploadField, "1 2") }, { PeerSignature.cover([1], by: &$0) },
    ]
    for change in changes {
      var head = Self.signed()
      change(&head)
      let signature = try #require(PeerSignature(head))
      #expect(signature.code != signature.text(for: "node2"))
    }
  }

  @Test(arguments: ["", "00", "00 11", "000102030405060708090a0b0c0d0e0f", "000102030405060708090a0b0c0d0e0f 1"])
  func whatIsNotOfItsFormIsNone(value: String) {
    let head = HTTPRequestHead(
      method: "GET", target: HTTPTarget(key: [1]), fields: value.isEmpty ? [:] : [PeerSignature.field: value])
    #expect(PeerSignature(head) == nil)
  }

  @Test func twoAreNone() {
    var head = Self.signed()
    PeerSignature.sign(&head, for: "node2", nonce: Self.nonce) { $0 }
    #expect(PeerSignature(head) == nil)
  }
}
