import KVHTTP
import KVLinux

/// Where a key has its place below a directory: one name for each part between slashes.
struct TreePath: Equatable, Sendable, CustomStringConvertible {
  /// What downloads are called until they are whole.
  private static let partialBeginning = ".kvctl-part-"

  let names: [FileName]

  init(_ names: [FileName]) { self.names = names }

  /// The place of a key, given without the prefix; or why it has none.
  static func parse(_ key: ArraySlice<UInt8>) -> Result<TreePath, Refusal> {
    var names: [FileName] = []
    for part in key.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
      if part.isEmpty { return .failure(Refusal("a part of it between slashes is empty")) }
      guard let name = FileName(part) else { return .failure(Refusal(reason(part))) }
      if isPartial(name) { return .failure(Refusal("its name is that of an incomplete download")) }
      names.append(name)
    }
    return .success(TreePath(names))
  }

  private static func reason(_ part: ArraySlice<UInt8>) -> String {
    if part.contains(0) { return "it has a NUL byte, which no file name can have" }
    if part.count > FileName.bytesMax { return "a part of it has \(part.count) bytes, a file name at most 255" }
    return "'\(PrintableText.escape(Array(part)))' would lead out of its directory"
  }

  /// Whether a file is a download that is not complete.
  static func isPartial(_ name: FileName) -> Bool { name.bytes.starts(with: Self.partialBeginning.utf8) }

  /// What the download to a name is called until it is whole.
  static func partial(of name: FileName) -> FileName? {
    FileName(Array(partialBeginning.utf8) + Array(Hexadecimal.digits(MD5.digest(name.bytes)).utf8))
  }

  /// The key, without the prefix.
  var key: [UInt8] { Array(names.map(\.bytes).joined(separator: [UInt8(ascii: "/")])) }

  var description: String { PrintableText.escape(key) }
}

/// Why something is left out, as the end of a line.
struct Refusal: Error, Equatable, Sendable {
  let reason: String

  init(_ reason: String) { self.reason = reason }
}

/// Finds keys that would need another key's file to be a directory, among keys in byte order.
struct KeyNesting {
  private var beginnings: [[UInt8]] = []

  /// The earlier key whose file is in the way of this one.
  mutating func obstacle(to key: [UInt8]) -> [UInt8]? {
    while let last = beginnings.last, !key.starts(with: last) { beginnings.removeLast() }
    if let obstacle = beginnings.first(where: { key.count > $0.count && key[$0.count] == UInt8(ascii: "/") }) {
      return obstacle
    }
    beginnings.append(key)
    return nil
  }
}

/// A prefix as the beginning of keys that lie in it as files in a directory: it ends in a slash, or is empty.
enum TreePrefix {
  static func bytes(_ prefix: [UInt8]) -> [UInt8] {
    prefix.isEmpty || prefix.last == UInt8(ascii: "/") ? prefix : prefix + [UInt8(ascii: "/")]
  }
}
