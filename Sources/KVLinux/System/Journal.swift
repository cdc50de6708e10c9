import CSystemd
import Glibc

/// The system journal (sd_journal_sendv(3)).
package enum Journal {
  /// The most fields an entry has here; what is beyond is left out.
  private static let fieldsMax = 64

  /// Whether standard error goes to the journal, so that fields can be sent there instead (systemd.exec(5),
  /// `JOURNAL_STREAM`).
  package static var isStandardError: Bool {
    guard let stream = getenv("JOURNAL_STREAM") else { return false }
    var status = stat()
    guard fstat(STDERR_FILENO, &status) == 0 else { return false }
    return String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
  }

  /// Sends an entry of `NAME=value` fields; false where the journal cannot take it.
  package static func send(_ fields: [String]) -> Bool {
    let fields = fields.prefix(fieldsMax).map { Array($0.utf8) }
    let total = fields.reduce(0) { $0 + $1.count }
    return withUnsafeTemporaryAllocation(byteCount: max(total, 1), alignment: 1) { bytes in
      var vectors: [iovec] = []
      var offset = 0
      for field in fields {
        let window = UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<(offset + field.count)])
        window.copyBytes(from: field)
        vectors.append(iovec(iov_base: window.baseAddress, iov_len: field.count))
        offset += field.count
      }
      return sd_journal_sendv(vectors, CInt(vectors.count)) == 0
    }
  }
}
