import KVCore
import KVHTTP

/// How a node that knows the cluster's secret shows it with a request. docs/protocol.md specifies it.
package struct PeerSignature: Equatable, Sendable {
  /// A nonce and the code, each in hexadecimal, with a space between.
  package static let field = "Kvnode-Signature"
  package static let nonceByteCount = 16

  /// The digest of a message's body that goes along with it, where one does (RFC 9530).
  package let bodyDigest: String?
  /// The HMAC-SHA-256 (RFC 2104) of the text that came with it.
  package let code: [UInt8]
  private let claims: [UInt8]

  /// What came with a head; nil where nothing did, or nothing of that form.
  package init?(_ head: HTTPRequestHead) {
    let values = head.fields.all(Self.field)
    guard values.count == 1, let value = values.first else { return nil }
    let words = value.split(separator: " ")
    guard words.count == 2, words[0].utf8.count == 2 * Self.nonceByteCount,
      let code = Hexadecimal.bytes(Array(words[1].utf8)[...])
    else { return nil }
    (claims, self.code) = (Self.claims(head, nonce: words[0]), code)
    bodyDigest = head.fields[Self.digestField]
  }

  /// What must have been signed, for the node of that name.
  package func text(for node: String) -> [UInt8] { Self.text(claims, node) }

  /// Signs a head that goes to the node of that name. `code` makes an HMAC-SHA-256 of a text.
  package static func sign(
    _ head: inout HTTPRequestHead, for node: String, nonce: [UInt8], code: ([UInt8]) -> [UInt8]
  ) {
    let nonce = Hexadecimal.digits(nonce)
    let text = text(claims(head, nonce: nonce[...]), node)
    head.fields.append(field, "\(nonce) \(Hexadecimal.digits(code(text)))")
  }

  /// Has the signature of a message cover its body, whose SHA-256 this is.
  package static func cover(_ digest: [UInt8], by head: inout HTTPRequestHead) {
    head.fields.append(digestField, bodyDigest(digest))
  }

  /// A SHA-256 as the field says it.
  package static func bodyDigest(_ digest: [UInt8]) -> String {
    StatedDigest(field: digestField, algorithm: .sha256, bytes: digest).text
  }

  private static let digestField = "Content-Digest"

  private static func text(_ claims: [UInt8], _ node: String) -> [UInt8] { claims + Array("\n\(node)".utf8) }

  /// The request line's method and target, what the node claims to be and to know, the body's digest, and the nonce.
  private static func claims(_ head: HTTPRequestHead, nonce: Substring) -> [UInt8] {
    var text = Array("\(head.method) ".utf8)
    head.target.encode(into: &text)
    let names = [
      PeerProtocol.nodeField, PeerProtocol.fingerprintField, PeerProtocol.layoutField, PeerProtocol.uploadField,
      digestField,
    ]
    // No value has an LF in it, so no two heads make the same text.
    for name in names { text += "\n\(head.fields[name] ?? "")".utf8 }
    text += "\n\(nonce)".utf8
    return text
  }
}
