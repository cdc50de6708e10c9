import KVCore

/// The names in a data directory that are no key's; docs/value-format.md specifies what lies under each.
package enum StoreName {
  /// Directories.
  package static let values = "values"
  package static let staging = "staging"
  package static let quarantine = "quarantine"
  /// What was missed while others had the say about its keys.
  package static let aside = "aside"
  /// The directory of the index, and the file in it that says that the index is whole.
  package static let index = "index"
  package static let cleanIndex = "clean"
  /// The file that tells the version of this layout, and the same on its way.
  static let format = "format"
  static let newFormat = "format.new"
  /// The file that tells which store this is, and the same on its way.
  static let identifier = "id"
  static let newIdentifier = "id.new"
  /// The file that tells what a disk must not forget, and the same on its way.
  static let node = "node"
  static let newNode = "node.new"
  /// The file with the cluster's layout, and the same on its way.
  package static let layout = "layout"
  package static let newLayout = "layout.new"
  /// What is written to `staging/` to see whether the disk works.
  static let probe = "probe"
  /// The extended attribute that holds the key of a file in quarantine, for its name may be cut short.
  package static let quarantinedKeyAttribute = "user.kvnode.key"
  /// The extended attribute of a mark: the name in quarantine of the file that it stands for.
  static let markAttribute = "user.kvnode.damaged"
  /// Of a mark: what was recorded of the value.
  static let markedRecordAttribute = "user.kvnode.marked"
}

/// Where a key's value lies below `values/`, and which key a path there belongs to.
///
/// All knowledge of the layout of names is here; docs/value-format.md specifies it.
package struct ValuePath: Hashable, Sendable {
  /// The most characters a name has before it continues in a subdirectory. File systems allow 255; the
  /// difference leaves room for the `+` and for what people's tools append.
  package static let nameCharactersMax = 240

  /// The directories below `values/`, outermost first: the slot's first byte in hex, then one directory for
  /// each full name of a long key, named with a trailing `+`.
  package let directories: [String]
  /// The number of the first of the directories, 0 to 255.
  package let shardNumber: Int
  /// The file's name in the last of the directories.
  package let fileName: String

  /// The path of a key's value.
  package init(key: Key, slot: Slot) {
    var names: [String] = []
    var name = ""
    for byte in key.bytes {
      var written = Self.escaped(byte, first: name.isEmpty)
      if name.utf8.count + written.utf8.count > Self.nameCharactersMax {
        names.append(name + "+")
        name = ""
        written = Self.escaped(byte, first: true)
      }
      name += written
    }
    shardNumber = slot.number >> 8
    directories = [Self.shard(shardNumber)] + names
    fileName = name
  }

  /// The 256 directories directly below `values/`.
  package static let shards: [String] = (0..<256).map(shard)

  /// The key whose value lies at these names below a shard, or nil where they are not a key's.
  package static func key(names: [String]) -> Key? {
    // Most names are their keys as they stand, which saves writing them anew for comparison.
    if names.count == 1, let bytes = unescapedName(names[0]) { return try? Key(bytes) }
    var bytes: [UInt8] = []
    for (index, name) in names.enumerated() {
      let isLast = index == names.count - 1
      guard isLast != name.hasSuffix("+") else { return nil }
      guard let part = unescaped(isLast ? name[...] : name.dropLast()) else { return nil }
      bytes += part
    }
    guard let key = try? Key(bytes) else { return nil }
    // Only the one spelling that a PUT would write counts, or two files could claim the same key.
    let canonical = ValuePath(key: key, slot: Slot(digestByte0: 0, digestByte1: 0))
    return canonical.directories.dropFirst() + [canonical.fileName] == names ? key : nil
  }

  private static func shard(_ number: Int) -> String {
    (number < 16 ? "0" : "") + String(number, radix: 16)
  }

  private static func escaped(_ byte: UInt8, first: Bool) -> String {
    if standsForItself(byte, first: first) { return String(UnicodeScalar(byte)) }
    let digits = String(byte, radix: 16, uppercase: true)
    return byte < 16 ? "%0\(digits)" : "%\(digits)"
  }

  private static func standsForItself(_ byte: UInt8, first: Bool) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    case UInt8(ascii: "."): !first
    default: false
    }
  }

  /// The bytes of a name that is written without escapes, or nil.
  private static func unescapedName(_ name: String) -> [UInt8]? {
    let bytes = Array(name.utf8)
    guard bytes.count <= nameCharactersMax else { return nil }
    for index in bytes.indices where !standsForItself(bytes[index], first: index == 0) { return nil }
    return bytes
  }

  private static func unescaped(_ name: Substring) -> [UInt8]? {
    var bytes: [UInt8] = []
    var rest = name.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2, let value = UInt8(String(rest.prefix(2)) ?? "", radix: 16) else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return bytes
  }
}
