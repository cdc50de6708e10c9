import KVCore
import KVHTTP
import KVLinux

/// The directories of an opened data directory.
package struct DataDirectory: ~Copyable, Sendable {
  /// What the file `format` says.
  package static let format = "kvnode 1\n"
  private static let formatBytesMax = 64

  package let root: Directory
  package let values: Directory
  package let staging: Directory
  package let quarantine: Directory
  /// What the store is called.
  package let identifier: StoreIdentifier

  /// Opens the data directory for this process alone, makes what is missing in it and empties `staging/`.
  ///
  /// Where there is a state directory, it remembers which store was opened, and no other is opened in its place.
  package static func open(path: String, stateDirectory: String? = nil) throws(StoreOpenError) -> DataDirectory {
    let root = try openRoot(path)
    let memory = stateDirectory.map { StoreMemory(statePath: $0, dataPath: path) }
    let found = try StoreIdentifier.read(in: root, path)
    if let memory { try memory.check(hasFormat: try hasFormat(root, path), found) }
    try settleFormat(path, root)
    let identifier = if let found { found } else { try newIdentifier(in: root, path) }
    if let memory { try memory.remember(identifier) }
    let values = try subdirectory(StoreName.values, of: root, path)
    let staging = try subdirectory(StoreName.staging, of: root, path)
    let quarantine = try subdirectory(StoreName.quarantine, of: root, path)
    let layout = DataDirectory(
      root: root, values: values, staging: staging, quarantine: quarantine, identifier: identifier)
    try layout.prepare(path)
    try layout.checkAttributes(path)
    return layout
  }

  private static func subdirectory(
    _ name: String, of root: borrowing Directory, _ path: String
  ) throws(StoreOpenError) -> Directory {
    do throws(SystemError) { return try root.makeAndOpen(name) } catch { throw .unusable(path: path, error) }
  }

  private borrowing func prepare(_ path: String) throws(StoreOpenError) {
    do throws(SystemError) {
      for shard in ValuePath.shards { _ = try values.makeDirectory(shard) }
      try values.sync()
      try root.sync()
      for name in try staging.names() { _ = try staging.removeFile(name) }
    } catch {
      throw .unusable(path: path, error)
    }
  }

  private static func openRoot(_ path: String) throws(StoreOpenError) -> Directory {
    do throws(SystemError) {
      let root = try Directory(path: path, making: true)
      if try root.lock() { return root }
    } catch {
      throw .unusable(path: path, error)
    }
    throw .inUse(path: path)
  }

  private static func hasFormat(_ root: borrowing Directory, _ path: String) throws(StoreOpenError) -> Bool {
    do throws(SystemError) {
      return try root.status(of: StoreName.format) != nil
    } catch {
      throw .unusable(path: path, error)
    }
  }

  private static func newIdentifier(
    in root: borrowing Directory, _ path: String
  ) throws(StoreOpenError) -> StoreIdentifier {
    let identifier = StoreIdentifier.random()
    do throws(SystemError) {
      try root.replaceFile(StoreName.identifier, by: StoreName.newIdentifier, Array("\(identifier)\n".utf8))
    } catch {
      throw .unusable(path: path, error)
    }
    return identifier
  }

  private static func settleFormat(_ path: String, _ root: borrowing Directory) throws(StoreOpenError) {
    let found: [UInt8]?
    do throws(SystemError) {
      found = try root.contents(of: StoreName.format, bytesMax: formatBytesMax)
      if found == nil { try root.replaceFile(StoreName.format, by: StoreName.newFormat, Array(format.utf8)) }
    } catch {
      throw .unusable(path: path, error)
    }
    if let found { try check(format: found, path) }
  }

  private static func check(format found: [UInt8], _ path: String) throws(StoreOpenError) {
    guard found != Array(format.utf8) else { return }
    let expected = PrintableText.escape(format.utf8.dropLast())
    throw .unknownFormat(path: path, found: PrintableText.escape(found), expected: expected)
  }

  /// Fails unless the directory holds a store of this format already; makes nothing in it.
  package static func checkFormat(of root: borrowing Directory, _ path: String) throws(StoreOpenError) {
    let found: [UInt8]?
    do throws(SystemError) {
      found = try root.contents(of: StoreName.format, bytesMax: formatBytesMax)
    } catch {
      throw .unusable(path: path, error)
    }
    guard let found else { throw .noStore(path: path) }
    try check(format: found, path)
  }

  private borrowing func checkAttributes(_ path: String) throws(StoreOpenError) {
    do throws(SystemError) {
      let probe = try staging.createFile(StoreName.probe)
      defer { _ = try? staging.removeFile(StoreName.probe) }
      try probe.setAttribute(ValueAttribute.name, [0])
    } catch {
      throw error.isUnsupported ? .withoutAttributes(path: path) : .unusable(path: path, error)
    }
  }
}

/// Why a data directory cannot be served. Each is one line for whoever starts the node.
package enum StoreOpenError: Error, Sendable, CustomStringConvertible {
  case unusable(path: String, SystemError)
  case inUse(path: String)
  case beingRepaired(path: String)
  case noStore(path: String)
  case unknownFormat(path: String, found: String, expected: String)
  case withoutAttributes(path: String)
  case unknownIdentifier(path: String, found: String)
  case unknownNode(path: String, found: String)
  /// There is no store where one was.
  case vanished(path: String, StoreIdentifier, marker: String)
  /// There is another store than before.
  case replaced(path: String, found: StoreIdentifier?, StoreIdentifier, marker: String)
  case unknownMarker(String, found: String)
  case stateUnusable(path: String, SystemError)

  /// Whether only an administrator can mend it, or tell what is right, so that trying again is of no use.
  package var needsAdministrator: Bool {
    switch self {
    case .unusable(_, let error), .stateUnusable(_, let error): error.isForAdministrator
    // These pass: the other process ends.
    case .inUse, .beingRepaired: false
    case .noStore, .unknownFormat, .withoutAttributes, .unknownIdentifier, .unknownNode, .vanished, .replaced,
      .unknownMarker:
      true
    }
  }

  /// One line that names the directory.
  package var description: String {
    switch self {
    case .unusable(let path, let error): "data directory \(path): \(error)"
    case .inUse(let path): "data directory \(path): another kvnode is using it"
    case .beingRepaired(let path): "data directory \(path): another check is repairing it"
    case .noStore(let path): "data directory \(path): holds no store of kvnode's: it has no file 'format'"
    case .unknownFormat(let path, let found, let expected):
      "data directory \(path): its file 'format' says '\(found)', expected '\(expected)'"
    case .withoutAttributes(let path):
      "data directory \(path): its file system has no user extended attributes (xattr(7)), which kvnode needs"
    case .unknownIdentifier(let path, let found):
      "data directory \(path): its file 'id' says '\(found)', expected 32 hexadecimal digits"
    case .unknownNode(let path, let found):
      "data directory \(path): its file 'node' says '\(found)', which this version did not write"
    case .vanished(let path, let known, let marker):
      "data directory \(path): holds no store, but had the store \(known): mount its disk, or remove \(marker) to begin"
        + " an empty one"
    case .replaced(let path, let found, let known, let marker):
      "data directory \(path): holds the store \(found?.description ?? "without an id"), but had the store \(known):"
        + " mount the right disk, or remove \(marker) to serve this one"
    case .unknownMarker(let marker, let found):
      "\(marker): says '\(found)', expected a store's id and its directory; remove it to serve whichever store is there"
    case .stateUnusable(let path, let error): "state directory \(path): \(error)"
    }
  }
}
