import KVCluster
import KVCore
import KVHTTP
import KVLinux

extension StoreName {
  /// What such names begin with.
  static let uploadPrefix = "upload-"

  /// Where the bytes of an upload lie in `staging/` once all of them are there.
  static func upload(_ upload: UploadID, of key: Key) -> String {
    "\(uploadPrefix)\(upload.member.number)-\(upload.counter)-\(Hexadecimal.digits(Array(MD5.digest(key.bytes).prefix(8))))"
  }
}

/// Bytes that wait in the staging area until the owners of their key have decided about them.
extension Store {
  /// Whether the bytes of a descriptor wait to be accepted.
  package func isStaged(_ descriptor: Descriptor?, _ key: Key) throws(StoreError) -> Bool {
    guard let descriptor else { return false }
    do throws(SystemError) {
      guard let file = try layout.staging.openFile(StoreName.upload(descriptor.upload, of: key)),
        let attribute = try ValueAttribute.read(file)
      else { return false }
      // Values that came by other means at one time have one upload id.
      return attribute.valueBytes == descriptor.valueBytes && attribute.checksum == descriptor.checksum
    } catch {
      throw .failed(error)
    }
  }

  /// Removes the bytes of an upload that nobody has accepted.
  package func dropUpload(_ upload: UploadID, of key: Key) {
    // What cannot be removed now is removed at the next start.
    _ = try? layout.staging.removeFile(StoreName.upload(upload, of: key))
  }

  /// Removes the bytes of uploads that nobody has accepted although they have been there for so long. Returns how many.
  package func removeUploads(untouchedForSeconds ageSeconds: Int64) throws(SystemError) -> Int {
    let latest = Instant.wallNanoseconds - ageSeconds * 1_000_000_000
    var count = 0
    for name in try layout.staging.names() where name.hasPrefix(StoreName.uploadPrefix) {
      guard let status = try layout.staging.status(of: name), status.modifiedAtNanoseconds <= latest else { continue }
      if try layout.staging.removeFile(name) { count += 1 }
    }
    return count
  }

  /// The bytes of an upload that waits to be accepted, where they are few.
  package func smallContent(of descriptor: Descriptor, _ key: Key) throws(StoreError) -> SmallContent? {
    guard descriptor.valueBytes <= SmallContent.bytesMax else { return nil }
    do throws(SystemError) {
      guard let file = try layout.staging.openFile(StoreName.upload(descriptor.upload, of: key)) else { return nil }
      var content: [UInt8] = []
      while content.count < descriptor.valueBytes {
        let count = try ThreadBuffer.withBytes { bytes throws(SystemError) in
          let count = try file.read(into: &bytes, at: content.count)
          content.append(copying: bytes.bytes.extracting(first: count))
          return count
        }
        // Whoever is asked to accept the value fetches what is here, or says that it cannot.
        guard count > 0, content.count <= descriptor.valueBytes else { return nil }
      }
      return SmallContent(bytes: content, fields: try ValueFields.read(file) ?? ValueFields())
    } catch {
      throw .failed(error)
    }
  }

  /// Opens the bytes of an upload, whether they wait to be accepted or are the key's value.
  package func open(_ upload: UploadID, of key: Key) throws(StoreError) -> StoredValue? {
    let staged = try translatingError(StoreError.failed) { () throws(SystemError) in
      try layout.staging.openFile(StoreName.upload(upload, of: key))
    }
    if let file = staged {
      let status = try translatingError(StoreError.failed) { () throws(SystemError) in try file.status() }
      return try StoredValue.read(file, status)
    }
    guard let value = try open(key), value.attribute?.upload == upload else { return nil }
    return value
  }
}
