import KVCore
import KVHTTP
import KVLinux

/// A value open for reading. It stays as it is even when the key is overwritten or deleted meanwhile.
package struct StoredValue: ~Copyable, Sendable {
  /// The file with the value's bytes.
  package let file: File
  /// What is told of it. The checksum is nil where the file came here by other means: it is served unverified.
  package let head: ValueHead

  /// Reads what was recorded of a value's file.
  package init(reading file: consuming File, _ status: File.Status) throws(StoreError) {
    head = try Self.head(of: file, status)
    self.file = file
  }

  private static func head(of file: borrowing File, _ status: File.Status) throws(StoreError) -> ValueHead {
    let attribute: ValueAttribute?
    let fields: ValueFields?
    let markedName: [UInt8]?
    do throws(SystemError) {
      markedName = try Quarantine.markedName(file, status)
      attribute = try file.attribute(ValueAttribute.name, bytesMax: ValueAttribute.byteCount)
        .flatMap { try? ValueAttribute(decoding: $0) }
      fields = try file.attribute(ValueFields.attributeName, bytesMax: ValueFields.attributeBytesMax)
        .map { ValueFields(decoding: $0) }
    } catch {
      throw .failed(error)
    }
    if let markedName { throw .damaged(detail: "it lies in quarantine/\(PrintableText.escape(markedName))") }
    if let attribute, attribute.valueBytes != status.byteCount {
      throw .damaged(detail: "the file has \(status.byteCount) of \(attribute.valueBytes) bytes")
    }
    let modifiedAtNanoseconds = attribute?.committedAtNanoseconds ?? status.modifiedAtNanoseconds
    return ValueHead(
      byteCount: status.byteCount, checksum: attribute?.checksum,
      modifiedAt: HTTPDate(secondsSince1970: Int(modifiedAtNanoseconds / 1_000_000_000)),
      fields: fields ?? ValueFields())
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
