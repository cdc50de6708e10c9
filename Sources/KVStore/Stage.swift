import KVCore
import KVLinux

/// A value on its way into the store: a file in `staging/` that no reader sees.
///
/// It becomes the key's value by `commit`; one that goes away uncommitted is removed.
package struct StagedValue: ~Copyable {
  /// How much is written before the kernel is told to start on it, so that the sync at the end finds little to do.
  private static let writeBackBytes: Int = 8 << 20
  /// How much of a value of unknown length is written between two looks at the free space.
  private static let spaceCheckBytes: Int = 16 << 20

  /// What a commit came to.
  package struct Commit: Equatable {
    /// What was recorded of the value.
    package let attribute: ValueAttribute
    /// Whether the key had no value before.
    package let created: Bool
  }

  /// How many bytes have been written.
  package private(set) var byteCount: Int = 0

  private let key: Key
  private let name: String
  private let store: Store
  private let file: File
  private let checksum = Checksum()
  private var isPreallocated = false
  private var writeBackFrom: Int = 0
  private var isCommitted = false
  /// The file of the value that this one has replaced, if it is large. Closing it frees its space, which can wait until
  /// the client has its answer.
  private var replaced: File?

  package init(key: Key, name: String, store: Store) throws(StoreError) {
    self.key = key
    self.name = name
    self.store = store
    file = try translatingError(StoreError.init(writing:)) { () throws(SystemError) in
      try store.layout.staging.createFile(name)
    }
  }

  deinit {
    // A file that cannot be removed now is removed at the next start.
    if !isCommitted { _ = try? store.layout.staging.removeFile(name) }
  }

  /// Reserves disk space for the whole value, so that a full disk is found out before the bytes come.
  package mutating func reserve(byteCount: Int) throws(StoreError) {
    guard byteCount > 0 else { return }
    do throws(SystemError) {
      isPreallocated = try file.preallocate(byteCount: byteCount)
    } catch {
      throw StoreError(writing: error)
    }
  }

  /// Adds bytes at the end.
  package mutating func append(_ bytes: RawSpan) throws(StoreError) {
    checksum.update(bytes)
    do throws(SystemError) { try file.write(bytes, at: byteCount) } catch { throw StoreError(writing: error) }
    let before = byteCount
    byteCount += Int(bytes.byteCount)
    if store.durability == .full && byteCount - writeBackFrom >= Self.writeBackBytes {
      file.startWriteBack(offset: writeBackFrom, byteCount: byteCount - writeBackFrom)
      writeBackFrom = byteCount
    }
    if !isPreallocated && before / Self.spaceCheckBytes != byteCount / Self.spaceCheckBytes {
      try store.checkSpace(for: 0)
    }
  }

  /// Makes the value the key's, durable before this returns.
  ///
  /// The order is the store's promise: content and attribute are on the disk before the name is, and the name
  /// before anyone is told.
  package mutating func commit(
    contentType: ContentType? = nil, if condition: WriteCondition = .none
  ) throws(StoreError) -> Commit {
    if let reason = store.readOnlyReason { throw .readOnly(reason: reason) }
    let attribute = ValueAttribute(
      valueBytes: byteCount, committedAtNanoseconds: Instant.wallNanoseconds, checksum: checksum.value)
    do throws(SystemError) {
      try file.setAttribute(ValueAttribute.name, attribute.encoded)
      if let contentType, contentType != .standard {
        try file.setAttribute(ContentType.attributeName, Array(contentType.description.utf8))
      }
      if store.durability == .full { try store.syncing { () throws(SystemError) in try file.sync() } }
    } catch {
      throw StoreError(writing: error)
    }
    let created = try store.publish(
      staged: name, byteCount: byteCount, as: key, if: condition, keepingOpen: &replaced)
    isCommitted = true
    return Commit(attribute: attribute, created: created)
  }
}

extension StoreError {
  /// A call that failed while a value was being written.
  package init(writing error: SystemError) {
    self = error.isDiskFull ? .full(detail: "no space: \(error)") : .failed(error)
  }
}
