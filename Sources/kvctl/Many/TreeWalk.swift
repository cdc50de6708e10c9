import KVLinux

/// Goes through the files below a directory in the byte order of their paths, as a listing of keys does.
struct TreeWalk {
  enum Item: Sendable {
    case file(TreePath)
    /// Something that is no value, or cannot be looked at.
    case leftOut(TreePath, reason: String, isFailure: Bool)
  }

  private static let depthMax = 512

  private let root: TreeRoot
  /// What is still to be gone through: the deepest directory last, its next entry last.
  private var levels: [[Level]] = []

  private struct Level {
    let path: TreePath
    let kind: Directory.Entry.Kind
  }

  init(_ root: TreeRoot) throws(CommandError) {
    self.root = root
    levels = [try CommandError.naming(root.path) { () throws(SystemError) in try Self.level(root, TreePath([])) }]
  }

  /// The next one, or nil after the last.
  mutating func next() -> Item? {
    while var level = levels.popLast() {
      guard let entry = level.popLast() else { continue }
      levels.append(level)
      switch entry.kind {
      case .file:
        if let name = entry.path.names.last, TreePath.isPartial(name) {
          return .leftOut(entry.path, reason: "an incomplete download", isFailure: false)
        }
        return .file(entry.path)
      case .symbolicLink: return .leftOut(entry.path, reason: "a symbolic link", isFailure: false)
      case .other: return .leftOut(entry.path, reason: "neither a file nor a directory", isFailure: false)
      case .directory:
        guard entry.path.names.count < Self.depthMax else {
          return .leftOut(entry.path, reason: "nested too deep", isFailure: true)
        }
        do throws(SystemError) {
          levels.append(try Self.level(root, entry.path))
        } catch {
          return .leftOut(entry.path, reason: error.reason, isFailure: true)
        }
      }
    }
    return nil
  }

  private static func level(_ root: TreeRoot, _ path: TreePath) throws(SystemError) -> [Level] {
    let entries = try root.directory.descend(path.names).entries()
    // A directory comes where its files do: among names that go on with a slash.
    let sorted = entries.map { ($0, $0.name.bytes + ($0.kind == .directory ? [UInt8(ascii: "/")] : [])) }
      .sorted { $1.1.lexicographicallyPrecedes($0.1) }
    return sorted.map { Level(path: TreePath(path.names + [$0.0.name]), kind: $0.0.kind) }
  }
}

/// The directory that a tree is below.
final class TreeRoot: Sendable {
  let path: String
  let directory: Directory

  init(_ path: String, making: Bool) throws(CommandError) {
    self.path = path
    directory = try CommandError.naming(path) { () throws(SystemError) in try Directory(path: path, making: making) }
  }

  /// A path below it, for messages.
  func name(of path: TreePath) -> String { self.path.hasSuffix("/") ? "\(self.path)\(path)" : "\(self.path)/\(path)" }
}
