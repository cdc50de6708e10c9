import KVCore

/// What a node's answer tells of a value ahead of its bytes.
struct ValueDescription: Equatable, Sendable {
  /// The size of the whole value; nil where the answer does not say.
  let byteCount: Int?
  /// The checksum in hex, without the quotes of its field; nil where the node has none recorded.
  let entityTag: String?
  let modified: String?
  let contentType: String?

  /// A value of which nothing is known.
  static let unknown = ValueDescription(HTTPResponseHead(status: 200))

  /// Reads the fields of an answer to GET, HEAD or PUT.
  init(_ head: HTTPResponseHead) {
    let range = head.fields["Content-Range"].flatMap(ContentRange.parse)
    byteCount = range?.byteCount ?? (try? head.fields.contentLength()) ?? nil
    entityTag = head.fields["ETag"].flatMap { EntityTagArgument(argument: $0)?.digits }
    modified = head.fields["Last-Modified"]
    contentType = head.fields["Content-Type"]
  }
}
