import KVHTTP

/// What a client calls a write by, so that it is recognised when it comes once more (`Idempotency-Key`,
/// draft-ietf-httpapi-idempotency-key-header-07).
package struct IdempotencyKey: Equatable, Sendable {
  package static let fieldName = "Idempotency-Key"
  package static let bytesMax = 255

  /// The key without the quotes that it may have come in.
  package let text: String

  /// A key as a field says it: a string of structured fields (RFC 8941), or bare, as most clients send it.
  package init(parsing field: String) throws(HTTPSyntaxError) {
    let bytes = Array(field.utf8)
    let quote = UInt8(ascii: "\"")
    let isQuoted = bytes.count >= 2 && bytes.first == quote && bytes.last == quote
    let inner = isQuoted ? bytes.dropFirst().dropLast() : bytes[...]
    guard (1...Self.bytesMax).contains(inner.count),
      inner.allSatisfy({ (0x20...0x7E).contains($0) && $0 != quote && $0 != UInt8(ascii: "\\") })
    else {
      throw .bad("\(Self.fieldName): expected 1 to \(Self.bytesMax) printable ASCII characters without \" and \\")
    }
    text = String(decoding: inner, as: UTF8.self)
  }

  /// One that nobody else has: 128 bits by chance.
  package static func random() -> IdempotencyKey {
    let numbers = [UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max)]
    return IdempotencyKey(text: Hexadecimal.digits(numbers.flatMap { BigEndian.bytes(Int64(bitPattern: $0)) }))
  }

  private init(text: String) { self.text = text }

  /// The key in a request's fields, or nil where none is there.
  package init?(_ fields: HTTPFields) throws(HTTPSyntaxError) {
    let values = fields.all(Self.fieldName)
    guard let field = values.first else { return nil }
    guard values.count == 1 else { throw .bad("\(Self.fieldName): expected once") }
    try self.init(parsing: field)
  }

  /// The key as a field, in the form of the draft.
  package var field: String { "\"\(text)\"" }
}

/// By what a value is known to have come with a certain idempotency key.
package struct RequestToken: Hashable, Sendable {
  package let number: UInt64

  package init(number: UInt64) { self.number = number }
}
