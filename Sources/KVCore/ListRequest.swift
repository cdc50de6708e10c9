import KVHTTP

/// What a client or another node asks for when it lists values: `GET /<prefix>?list[&start=][&from=][&limit=][&delimiter=]`.
package struct ListRequest: Equatable, Sendable {
  /// How a page is written.
  package enum Format: String, Equatable, Sendable {
    case json
    /// A line an entry, for shells and between nodes.
    case lines
  }

  /// The most entries a page has.
  package static let entriesMax = 100_000
  /// How many it has where the client does not say.
  package static let entriesDefault = 1000
  /// The longest delimiter, in bytes.
  package static let delimiterBytesMax = 64

  /// The bytes that the keys begin with; empty for all.
  package var prefix: [UInt8]
  /// The first key to list, by bytes, whether or not it exists; empty for the first there is.
  package var from: [UInt8] = []
  /// The most entries to list.
  package var limit = entriesDefault
  /// What ends a group: keys that have it behind the prefix are listed as one, up to and with it.
  package var delimiter: [UInt8] = []
  package var format = Format.json
  /// Whether nodes that do not answer are left out, and named, instead of making the listing fail.
  package var isPartial = false
  /// Whether only values of the node that is asked are meant.
  package var isOwnOnly = false
  /// Whether values are meant that lie on a node and belong to another.
  package var isStranded = false
  /// Set when another node asks: then only this node's values are meant.
  package var relayed: RelayMark?

  /// A listing of all values with the prefix.
  package init(prefix: [UInt8]) { self.prefix = prefix }

  /// The group that a key of the listing belongs to, or nil where it stands for itself.
  package func group(of key: [UInt8]) -> [UInt8]? {
    guard !delimiter.isEmpty, key.count >= prefix.count + delimiter.count else { return nil }
    for start in prefix.count...(key.count - delimiter.count)
    where key[start] == delimiter[0] && key[start...].starts(with: delimiter) {
      return Array(key[..<(start + delimiter.count)])
    }
    return nil
  }
}

/// Where the next page of a listing begins, as a word that any client's library leaves as it is: `next` of one page and
/// `start=` of another.
package enum ListToken {
  private static let mark = "at-"

  /// The word for a first key.
  package static func encode(_ key: [UInt8]) -> String { mark + Hexadecimal.digits(key) }

  /// The first key, or nil where the text is no such word.
  package static func decode(_ text: [UInt8]) -> [UInt8]? {
    guard text.starts(with: mark.utf8), text.count <= mark.utf8.count + 2 * Key.bytesMax else { return nil }
    return Hexadecimal.bytes(text.dropFirst(mark.utf8.count))
  }
}
