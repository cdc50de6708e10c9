import KVCore
import KVHTTP
import KVLinux

/// An opened map of an index, and the tables in it.
final class IndexMap: Sendable {
  /// Address space for the map; the file grows with what is in it.
  private static let bytesMax = 64 << 30
  private static let currentName = Array("current".utf8)

  let map: OrderedMap
  let tables: [OrderedMap.Table]
  /// Keys that were changed while a table is being made: what a file said before does not count for them.
  let touched: OrderedMap.Table
  /// Says which of the two tables is looked at.
  let meta: OrderedMap.Table

  /// Opens the map in its place; a new one begins with files of its own.
  init(in place: IndexPlace, isNew: Bool) throws(SystemError) {
    if isNew { try place.removeMap() }
    map = try OrderedMap(directory: place.path, bytesMax: Self.bytesMax, tablesMax: 4)
    tables = [try map.table("values 0"), try map.table("values 1")]
    touched = try map.table("touched")
    meta = try map.table("meta")
  }

  func current(_ change: borrowing OrderedMap.Change) throws(SystemError) -> OrderedMap.Table {
    tables[try Self.isSecond(change.value(of: Self.currentName, in: meta)) ? 1 : 0]
  }

  func current(_ look: borrowing OrderedMap.Look) throws(SystemError) -> OrderedMap.Table {
    tables[try Self.isSecond(look.value(of: Self.currentName, in: meta)) ? 1 : 0]
  }

  func other(_ change: borrowing OrderedMap.Change) throws(SystemError) -> OrderedMap.Table {
    tables[try current(change) == tables[0] ? 1 : 0]
  }

  func setCurrent(_ table: OrderedMap.Table, _ change: borrowing OrderedMap.Change) throws(SystemError) {
    try change.put(Self.currentName, [table == tables[1] ? 1 : 0], in: meta)
  }

  private static func isSecond(_ value: [UInt8]?) -> Bool { value == [1] }
}

/// Where an index lies: its directory, and the values that it is about.
final class IndexPlace: Sendable {
  private static let cleanText = "kvnode index 2 "

  private let directory: Directory
  private let values: Directory
  let path: String

  init(in root: borrowing Directory, path: String) throws(SystemError) {
    directory = try root.makeAndOpen(StoreName.index)
    guard let values = try root.directory(StoreName.values) else { throw SystemError.absent(call: "openat") }
    self.values = values
    self.path = "\(path)/\(StoreName.index)"
  }

  /// Removes the map's files. Whoever has them open keeps them.
  func removeMap() throws(SystemError) {
    for name in OrderedMap.fileNames { _ = try directory.removeFile(name) }
  }

  /// Whether the index is whole. From now on it is not, until that is said again.
  func takeCleanMark() throws(SystemError) -> Bool {
    guard let text = try directory.contents(of: StoreName.cleanIndex, bytesMax: 128) else { return false }
    _ = try directory.removeFile(StoreName.cleanIndex)
    try directory.sync()
    return try text == cleanMark()
  }

  /// Says that the index is whole.
  func writeCleanMark() throws(SystemError) {
    let file = try directory.createFile(StoreName.cleanIndex)
    try cleanMark().withBytes { bytes throws(SystemError) in try file.write(bytes, at: 0) }
    try file.sync()
    try directory.sync()
  }

  /// What the mark says: a digest of the number and the time of change of the index's file and of the directories below
  /// `values/`. Whoever restores a backup over them, or puts a file in, cannot but change one.
  private func cleanMark() throws(SystemError) -> [UInt8] {
    var facts = try Self.fact(of: OrderedMap.fileNames[0], in: directory)
    for shard in ValuePath.shards { facts += try Self.fact(of: shard, in: values) }
    return Array("\(Self.cleanText)\(Hexadecimal.digits(SHA256.digest(Array(facts.utf8))))\n".utf8)
  }

  private static func fact(of name: String, in directory: borrowing Directory) throws(SystemError) -> String {
    guard let status = try directory.status(of: name) else { return "none " }
    return "\(status.inode) \(status.changedAtNanoseconds) "
  }
}
