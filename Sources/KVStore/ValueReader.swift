import KVCore
import KVHTTP
import KVLinux

/// A value open for reading. It stays as it is even when the key is overwritten or deleted meanwhile.
package struct StoredValue: ~Copyable, Sendable {
  /// The file with the value's bytes.
  package let file: File
  /// What is told of it. The checksum is nil where the file came here by other means: it is served unverified.
  package let head: ValueHead

  /// What was recorded of it, if that is known.
  package let attribute: ValueAttribute?

  /// Reads what was recorded of a value's file, or nil where it says that the key was deleted.
  package static func read(_ file: consuming File, _ status: File.Status) throws(StoreError) -> StoredValue? {
    let (attribute, head) = try described(file, status)
    if attribute?.isDeletion == true { return nil }
    return StoredValue(file: file, head: head, attribute: attribute)
  }

  private static func described(
    _ file: borrowing File, _ status: File.Status
  ) throws(StoreError) -> (ValueAttribute?, ValueHead) {
    let attribute: ValueAttribute?
    let fields: ValueFields?
    let markedName: [UInt8]?
    do throws(SystemError) {
      markedName = try Quarantine.markedName(file, status)
      attribute = try ValueAttribute.read(file)
      fields = try ValueFields.read(file)
    } catch {
      throw .failed(error)
    }
    if let markedName { throw .damaged(detail: "it lies in quarantine/\(PrintableText.escape(markedName))") }
    if let attribute, attribute.valueBytes != status.byteCount {
      throw .damaged(detail: "the file has \(status.byteCount) of \(attribute.valueBytes) bytes")
    }
    let modifiedAtNanoseconds = attribute?.committedAtNanoseconds ?? status.modifiedAtNanoseconds
    let head = ValueHead(
      byteCount: status.byteCount, checksum: attribute?.checksum,
      modifiedAt: HTTPDate(nanosecondsSince1970: modifiedAtNanoseconds),
      fields: fields ?? ValueFields())
    return (attribute, head)
  }
}

extension ValueAttribute {
  /// What a file's attribute says; nil where it has none that can be understood.
  package static func read(_ file: borrowing File) throws(SystemError) -> ValueAttribute? {
    try file.attribute(name, bytesMax: byteCountMax).flatMap { try? ValueAttribute(decoding: $0) }
  }
}

extension ValueFields {
  /// What is kept beside a file's bytes; nil where that is nothing.
  static func read(_ file: borrowing File) throws(SystemError) -> ValueFields? {
    try file.attribute(attributeName, bytesMax: attributeBytesMax).map { ValueFields(decoding: $0) }
  }
}

extension Directory {
  /// How many bytes the value has that lies under a name, or nil where there is none.
  func valueBytes(of name: String) throws(SystemError) -> Int? {
    guard let status = try status(of: name), try !isDeletion(name, status) else { return nil }
    return status.byteCount
  }

  /// Whether a file stands for a key that was deleted. Only one without bytes can.
  func isDeletion(_ name: String, _ status: File.Status) throws(SystemError) -> Bool {
    guard status.isRegular, status.byteCount == 0, let file = try openFile(name) else { return false }
    return try ValueAttribute.read(file)?.isDeletion == true
  }
}

/// Which part of a large value's file need not stay in memory, while it is sent from front to back.
///
/// The page cache is the cache, and the kernel knows best what to keep, except of a value that would take much of the
/// memory: keeping that costs many others their place, and it does not stay long enough to be of use.
package struct ReadBehind {
  /// A value is dropped behind the reader when it is larger than this part of the memory.
  private static let memoryParts = 4
  /// What is still on its way through a socket cannot be dropped, so that the dropping stays so far behind.
  package static let lagBytes = 32 << 20
  /// How much is dropped at a time, at least.
  package static let stepBytes = 16 << 20

  private let isNeeded: Bool
  private var droppedTo: Int

  package init(offsets: Range<Int>, memoryBytes: Int) {
    isNeeded = offsets.count > memoryBytes / Self.memoryParts
    droppedTo = offsets.lowerBound
  }

  /// The reader has come to the offset: what can be dropped now.
  package mutating func advanced(to offset: Int) -> Range<Int>? {
    guard isNeeded, offset - Self.lagBytes - droppedTo >= Self.stepBytes else { return nil }
    defer { droppedTo = offset - Self.lagBytes }
    return droppedTo..<offset - Self.lagBytes
  }
}
