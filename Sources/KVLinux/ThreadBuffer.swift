/// A buffer that each thread lends to whatever it is doing between two waits.
///
/// Bytes go through it within one step, from a socket to a file or another socket, and what is left over when
/// the step must wait is copied out: so memory follows the number of threads, not of transfers.
public enum ThreadBuffer {
  /// Large enough that system calls cost little, small enough to stay in a core's cache while the checksum
  /// reads what the socket just wrote.
  public static let byteCount = 1024 * 1024

  /// Lends the buffer for one step. The step must not lend it again.
  @inline(__always)
  public static func withBytes<Result, Failure: Error>(
    _ step: (inout MutableRawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let buffer = ThreadLocals.buffer
    var bytes = buffer.mutableBytes
    return try step(&bytes)
  }
}
