import KVHTTP

/// What a request says of who asks. Each connection holds the last one, so it is small.
package indirect enum Credential: Sendable, Equatable {
  /// Nothing.
  case none
  /// A token's text, and the name that came with it, where one did.
  case token(String, name: String? = nil)
  /// Something that cannot be understood, and why.
  case unusable(reason: String)

  /// How whoever shows nothing is told what could be shown: the values of WWW-Authenticate (RFC 9110 section 11.6.1).
  package static let challenges = ["Bearer realm=\"kvnode\"", "Basic realm=\"kvnode\", charset=\"UTF-8\""]

  /// Reads the Authorization field: `Bearer` (RFC 6750 section 2.1), or `Basic` (RFC 7617), whose password is the token.
  package init(_ fields: HTTPFields) {
    let values = fields.all("Authorization")
    guard let value = values.first else {
      self = .none
      return
    }
    let words = value.split(separator: " ")
    switch (values.count, words.count, words.first?.lowercased()) {
    case (1, 2, "bearer"): self = .token(String(words[1]))
    case (1, 2, "basic"): self = Self.basic(String(words[1]))
    case (1, _, _): self = .unusable(reason: "Authorization is neither Bearer and a token nor Basic")
    default: self = .unusable(reason: "Authorization came more than once")
    }
  }

  private static func basic(_ text: String) -> Credential {
    guard let bytes = Base64.decode(text), let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else {
      return .unusable(reason: "Authorization: Basic is not followed by name:token in base64")
    }
    let name = String(decoding: bytes[..<colon], as: UTF8.self)
    let token = String(decoding: bytes[colon...].dropFirst(), as: UTF8.self)
    return .token(token, name: name.isEmpty ? nil : name)
  }
}
