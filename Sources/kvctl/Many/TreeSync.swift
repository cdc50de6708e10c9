import KVCore
import KVHTTP
import KVLinux

/// What is to be made the same: the files below a directory, and the values below a prefix.
struct TreeSync: Sendable {
  /// Which side is changed.
  enum Direction: Sendable { case up, down }

  enum Job: Sendable {
    /// A file that may differ from the value.
    case upload(TreePath, Key, ListedValue?)
    /// A value that may differ from the file.
    case download(TreePath, Key, ListedValue)
    case deleteValue(Key, ListedValue)
    case removeFile(TreePath)
  }

  let root: TreeRoot
  /// Empty, or with a slash at the end.
  let prefix: [UInt8]
  let direction: Direction
  let nodes: Nodes
  let retries: Retries
  let report: ManyReport
  /// Whether what only the other side has is removed.
  var deletes = false
  var isDryRun = false
  /// What the values that are stored are said to be; nil to say nothing.
  var contentType: String?

  /// Goes through both sides in the order of the keys and adds what may have to be done.
  func plan(_ queue: JobQueue<Job>) async throws(CommandError) {
    var files = try FilesInOrder(self)
    var values = ValuesInOrder(self)
    var (file, value) = (files.next(), try await values.next())
    try guardAgainstNothing(hasFiles: file != nil || !files.leftOut.isEmpty, hasValues: value != nil)
    var planned = 0
    while file != nil || value != nil {
      let isFileFirst =
        value.map { value in file.map { !value.key.lexicographicallyPrecedes($0.key) } ?? false } ?? true
      let isBoth = isFileFirst && file?.key == value?.key
      let job = isFileFirst ? try job(file, isBoth ? value : nil, files) : try job(nil, value, files)
      if let job {
        await queue.add(job)
        planned += 1
      }
      if isFileFirst { file = files.next() }
      if !isFileFirst || isBoth { value = try await values.next() }
    }
    report.isPlanned(planned)
  }

  /// Where a source that should have something has nothing, most likely it is the wrong one, or not mounted.
  private func guardAgainstNothing(hasFiles: Bool, hasValues: Bool) throws(CommandError) {
    guard deletes, direction == .up ? !hasFiles && hasValues : hasFiles && !hasValues else { return }
    throw CommandError(.failure, "SYNC: the source is empty, so nothing is deleted")
  }

  private func job(
    _ file: (path: TreePath, key: [UInt8])?, _ value: ListedValue?, _ files: FilesInOrder
  ) throws(CommandError) -> Job? {
    switch (direction, file, value) {
    case (.up, .some(let file), let value):
      do throws(KeyError) {
        return .upload(file.path, try Key(file.key), value)
      } catch {
        report.fail(CommandError(.failure, "\(root.name(of: file.path)): \(error)"))
        return nil
      }
    case (.down, let file, .some(let value)):
      let key = try Key(listed: value.key)
      guard let path = file?.path ?? files.place(of: value.key) else { return nil }
      return .download(path, key, value)
    case (.up, nil, .some(let value)):
      guard deletes, !files.protects(value.key) else { return nil }
      return .deleteValue(try Key(listed: value.key), value)
    case (.down, .some(let file), nil): return deletes ? .removeFile(file.path) : nil
    case (_, nil, nil): return nil
    }
  }
}

/// The files of a side in the order of their keys; what is left out on the way is told.
struct FilesInOrder {
  /// The keys of what is there and is no value: nothing of them is deleted on the other side.
  private(set) var leftOut: Set<[UInt8]> = []
  private let sync: TreeSync
  private var walk: TreeWalk

  init(_ sync: TreeSync) throws(CommandError) {
    self.sync = sync
    walk = try TreeWalk(sync.root)
  }

  mutating func next() -> (path: TreePath, key: [UInt8])? {
    while let item = walk.next() {
      switch item {
      case .file(let path): return (path, sync.prefix + path.key)
      case .leftOut(let path, let reason, let isFailure):
        leftOut.insert(sync.prefix + path.key)
        let name = sync.root.name(of: path)
        if isFailure {
          sync.report.fail(CommandError(.failure, "\(name): \(reason)"))
        } else if sync.direction == .up {
          sync.report.leaveOut(name, reason)
        }
      }
    }
    return nil
  }

  /// Whether a key is, or lies below, something that was left out.
  func protects(_ key: [UInt8]) -> Bool {
    if leftOut.contains(key) { return true }
    return key.indices.contains { key[$0] == UInt8(ascii: "/") && leftOut.contains(Array(key[..<$0])) }
  }

  /// The place for the file of a key that was checked before.
  func place(of key: [UInt8]) -> TreePath? {
    if case .success(let path) = TreePath.parse(key[sync.prefix.count...]) { path } else { nil }
  }
}

/// The values of a side in the order of their keys, without those that no file can hold; these are told.
struct ValuesInOrder {
  private let sync: TreeSync
  private let listing: KeyListing
  private var page: [ListedValue] = []
  private var index = 0
  private var nesting = KeyNesting()

  init(_ sync: TreeSync) {
    self.sync = sync
    listing = KeyListing(ListRequest(prefix: sync.prefix), sync.nodes, retries: sync.retries)
  }

  mutating func next() async throws(CommandError) -> ListedValue? {
    while true {
      while index == page.count {
        guard let next = try await listing.next() else { return nil }
        (page, index) = (next.values, 0)
      }
      index += 1
      let value = page[index - 1]
      guard sync.direction == .down, let reason = refusal(of: value.key) else { return value }
      let key = PrintableText.escape(value.key)
      sync.report.fail(CommandError(.failure, "GET \(key): it cannot be a file: \(reason)"))
    }
  }

  private mutating func refusal(of key: [UInt8]) -> String? {
    if case .failure(let refusal) = TreePath.parse(key[sync.prefix.count...]) { return refusal.reason }
    guard let obstacle = nesting.obstacle(to: key) else { return nil }
    return "the key \(PrintableText.escape(obstacle)) is a file where a directory is needed"
  }
}
