import KVHTTP

/// What is kept beside a value for whoever fetches it: its type and some other fields, which are given back as they came.
///
/// docs/value-format.md specifies the extended attribute that holds them.
package struct ValueFields: Equatable, Sendable {
  /// The extended attribute; absent where there is nothing to keep.
  package static let attributeName = "user.kvnode.type"
  /// The longest Content-Type that is kept, in bytes.
  package static let contentTypeBytesMax = 255
  /// How many bytes the other fields may have together, as lines.
  package static let linesBytesMax = 2048
  /// The most bytes that the attribute can have.
  package static let attributeBytesMax = contentTypeBytesMax + 2 + linesBytesMax
  /// What values are that nothing was said of (RFC 9110 section 8.3).
  package static let standardContentType = "application/octet-stream"
  /// How caches may use such values: after asking whether they are still the same (RFC 9111 section 5.2.2.4).
  package static let standardCacheControl = "no-cache"
  /// The fields of HTTP that are kept beside the type.
  package static let names = [
    "Content-Encoding", "Content-Disposition", "Content-Language", "Cache-Control", "Expires",
  ]
  /// What the names of a client's own fields begin with.
  package static let ownPrefix = "Kvnode-Meta-"

  /// What the value is said to be, or nil where nothing was said.
  package private(set) var contentType: String?
  /// The other fields, in the order they came in.
  package private(set) var others = HTTPFields()

  /// Nothing.
  package init() {}

  /// Just a type; nil for one that cannot be kept.
  package init?(contentType: String) {
    try? self.init(["Content-Type": contentType])
  }

  /// Takes from a head what is kept of it.
  package init(_ fields: HTTPFields) throws(HTTPSyntaxError) {
    if let text = fields["Content-Type"], !text.isEmpty, text != Self.standardContentType { contentType = text }
    for field in fields where Self.isKept(field.name) && !Self.isStandard(field) {
      others.append(field.name, field.value)
    }
    guard (contentType ?? "").unicodeScalars.count <= Self.contentTypeBytesMax else {
      throw .bad("the Content-Type has more than \(Self.contentTypeBytesMax) bytes")
    }
    guard lines.count <= Self.linesBytesMax else {
      let names = (Self.names + ["\(Self.ownPrefix)*"]).joined(separator: ", ")
      throw .bad("the fields that are kept (\(names)) have more than \(Self.linesBytesMax) bytes together")
    }
  }

  /// Whether there is nothing to keep.
  package var isEmpty: Bool { contentType == nil && others.isEmpty }

  /// Adds the fields to a head. A type is always told.
  package func append(to fields: inout HTTPFields) {
    fields.append("Content-Type", contentType ?? Self.standardContentType)
    appendOthers(to: &fields)
  }

  /// Adds the fields to a head, less the type.
  package func appendOthers(to fields: inout HTTPFields) {
    for field in others { fields.append(field.name, field.value) }
  }

  /// Adds what caches are told, where that is the standard.
  package func appendStandardCacheControl(to fields: inout HTTPFields) {
    if !others.contains("Cache-Control") { fields.append("Cache-Control", Self.standardCacheControl) }
  }

  /// The attribute's bytes: the type, and where there is more, each further field on a line that CRLF precedes.
  package var encoded: [UInt8] {
    // Bytes outside ASCII are scalars of the same number here, as in `HTTPFields`.
    let type = (contentType ?? "").unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
    return others.isEmpty ? type : type + [HTTPByte.carriageReturn, HTTPByte.lineFeed] + lines
  }

  /// Reads the attribute. What this version did not write so is left out: the value is worth more than what is said of it.
  package init(decoding bytes: [UInt8]) {
    let typeEnd = bytes.firstIndex(of: HTTPByte.carriageReturn) ?? bytes.count
    let type = Array("Content-Type: ".utf8) + bytes[..<typeEnd] + [HTTPByte.carriageReturn, HTTPByte.lineFeed]
    guard let fields = try? HTTPFields.parse(section: type + bytes[typeEnd...].dropFirst(2)),
      let read = try? ValueFields(fields)
    else { return }
    self = read
  }

  private var lines: [UInt8] {
    if others.isEmpty { return [] }
    var lines: [UInt8] = []
    others.encode(into: &lines)
    // Less the blank line that ends a head.
    return lines.dropLast(2)
  }

  /// What a value is sent with of which nothing was said.
  private static func isStandard(_ field: HTTPField) -> Bool {
    field.value == standardCacheControl
      && HTTPByte.isEqualIgnoringCase(field.name.utf8.span, standardCacheControlName.utf8.span)
  }

  private static let standardCacheControlName = "Cache-Control"

  /// Every answer of another node is asked about each of its fields, so that no text is made for it.
  private static func isKept(_ name: String) -> Bool {
    let bytes = name.utf8.span
    let prefix = ownPrefix.utf8.span
    if bytes.count >= prefix.count, HTTPByte.isEqualIgnoringCase(bytes.extracting(first: prefix.count), prefix) {
      return true
    }
    return names.contains { $0.utf8.count == bytes.count && HTTPByte.isEqualIgnoringCase($0.utf8.span, bytes) }
  }
}
