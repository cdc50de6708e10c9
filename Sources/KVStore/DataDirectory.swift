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

  /// Opens the data directory for this process alone, makes what is missing in it and empties `staging/`.
  package static func open(path: String) throws(StoreOpenError) -> DataDirectory {
    let root = try openRoot(path)
    try settleFormat(path, root)
    let values = try subdirectory(StoreName.values, of: root, path)
    let staging = try subdirectory(StoreName.staging, of: root, path)
    let quarantine = try subdirectory(StoreName.quarantine, of: root, path)
    let layout = DataDirectory(root: root, values: values, staging: staging, quarantine: quarantine)
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

  private static func settleFormat(_ path: String, _ root: borrowing Directory) throws(StoreOpenError) {
    let found: [UInt8]?
    do throws(SystemError) {
      found = try root.contents(of: StoreName.format, bytesMax: formatBytesMax)
      if found == nil { try writeFormat(in: root) }
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

  private static func writeFormat(in root: borrowing Directory) throws(SystemError) {
    // A crash must leave no empty format file behind, or the next start would refuse the directory.
    _ = try root.removeFile(StoreName.newFormat)
    let file = try root.createFile(StoreName.newFormat)
    try Array(format.utf8).withBytes { bytes throws(SystemError) in try file.write(bytes, at: 0) }
    try file.sync()
    try root.rename(StoreName.newFormat, to: StoreName.format, in: root)
    try root.sync()
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
    }
  }
}
