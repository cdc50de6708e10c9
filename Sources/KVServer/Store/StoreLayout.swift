import KVCore
import KVLinux

/// The directories of an opened data directory.
struct StoreLayout: ~Copyable, Sendable {
  /// What the file `format` says.
  static let format = "kvnode 1\n"
  private static let formatBytesMax = 64

  let root: Directory
  let values: Directory
  let staging: Directory
  let quarantine: Directory

  /// Opens the data directory for this process alone, makes what is missing in it and empties `staging/`.
  static func open(path: String) throws(StoreOpenError) -> StoreLayout {
    let root = try openRoot(path)
    try settleFormat(path, root)
    let values = try subdirectory("values", of: root, path)
    let staging = try subdirectory("staging", of: root, path)
    let quarantine = try subdirectory("quarantine", of: root, path)
    let layout = StoreLayout(root: root, values: values, staging: staging, quarantine: quarantine)
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
      found = try root.contents(of: "format", bytesMax: formatBytesMax)
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
  static func checkFormat(of root: borrowing Directory, _ path: String) throws(StoreOpenError) {
    let found: [UInt8]?
    do throws(SystemError) {
      found = try root.contents(of: "format", bytesMax: formatBytesMax)
    } catch {
      throw .unusable(path: path, error)
    }
    guard let found else { throw .noStore(path: path) }
    try check(format: found, path)
  }

  private static func writeFormat(in root: borrowing Directory) throws(SystemError) {
    // A crash must leave no empty format file behind, or the next start would refuse the directory.
    _ = try root.removeFile("format.new")
    let file = try root.createFile("format.new")
    try file.write(Array(format.utf8).span.bytes, at: 0)
    try file.sync()
    try root.rename("format.new", to: "format", in: root)
    try root.sync()
  }

  private borrowing func checkAttributes(_ path: String) throws(StoreOpenError) {
    do throws(SystemError) {
      let probe = try staging.createFile("probe")
      defer { _ = try? staging.removeFile("probe") }
      try probe.setAttribute(ValueAttribute.name, [0])
    } catch {
      throw error.isUnsupported ? .withoutAttributes(path: path) : .unusable(path: path, error)
    }
  }
}
