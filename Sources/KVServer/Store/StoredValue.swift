import KVCore
import KVLinux

/// A value open for reading. It stays as it is even when the key is overwritten or deleted meanwhile.
struct StoredValue: ~Copyable, Sendable {
  /// The file with the value's bytes.
  let file: File
  /// What is told of it. The checksum is nil where the file came here by other means: it is served unverified.
  let head: ValueHead

  /// Reads what was recorded of a value's file.
  init(reading file: consuming File, _ status: File.Status) throws(StoreError) {
    head = try Self.head(of: file, status)
    self.file = file
  }

  private static func head(of file: borrowing File, _ status: File.Status) throws(StoreError) -> ValueHead {
    let attribute: ValueAttribute?
    let contentType: ContentType?
    let markedName: [UInt8]?
    do throws(SystemError) {
      markedName = try Quarantine.markedName(file, status)
      attribute = try file.attribute(ValueAttribute.name, bytesMax: ValueAttribute.byteCount)
        .flatMap { try? ValueAttribute(decoding: $0) }
      contentType = try file.attribute(ContentType.attributeName, bytesMax: ContentType.bytesMax)
        .flatMap { ContentType(decoding: $0) }
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
      contentType: contentType ?? .standard)
  }
}
