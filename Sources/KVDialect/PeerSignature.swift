import KVCore
import KVHTTP

/// How a node that knows the cluster's secret shows it with a request. docs/protocol.md specifies it.
package struct PeerSignature: Equatable, Sendable {
  /// A nonce and the code, each in hexadecimal, with a space between.
  package static let field = "Kvnode-Signature"
  package static let nonceByteCount = 16

  /// What is signed: the request line's method and target, what the node claims to be and to know, and the nonce.
  package let text: [UInt8]
  /// The HMAC-SHA-256 (RFC 2104) of the text that came with it.
  package let code: [UInt8]

  /// What came with a head; nil where nothing did, or nothing of that form.
  package init?(_ head: HTTPRequestHead) {
    let values = head.fields.all(Self.field)
    guard values.count == 1, let value = values.first else { return nil }
    let words = value.split(separator: " ")
    guard words.count == 2, words[0].utf8.count == 2 * Self.nonceByteCount,
      let code = Hexadecimal.bytes(Array(words[1].utf8)[...])
    else { return nil }
    (self.text, self.code) = (Self.text(head, nonce: words[0]), code)
  }

  /// Signs a head. `code` makes an HMAC-SHA-256 of a text.
  package static func sign(_ head: inout HTTPRequestHead, nonce: [UInt8], code: ([UInt8]) -> [UInt8]) {
    let nonce = Hexadecimal.digits(nonce)
    head.fields.append(field, "\(nonce) \(Hexadecimal.digits(code(text(head, nonce: nonce[...]))))")
  }

  private static func text(_ head: HTTPRequestHead, nonce: Substring) -> [UInt8] {
    var text = Array("\(head.method) ".utf8)
    head.target.encode(into: &text)
    let claims = [
      PeerProtocol.nodeField, PeerProtocol.fingerprintField, PeerProtocol.layoutField, PeerProtocol.uploadField,
    ]
    // No value has an LF in it, so no two heads make the same text.
    for claim in claims { text += "\n\(head.fields[claim] ?? "")".utf8 }
    text += "\n\(nonce)".utf8
    return text
  }
}
