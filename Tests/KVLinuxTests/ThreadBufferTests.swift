import Glibc
import Testing

@testable import KVLinux

/// Fills the buffer of a thread that ends with it.
private func useBufferOfNewThread() {
  var thread = pthread_t()
  let code = pthread_create(
    &thread, nil,
    { _ in
      ThreadBuffer.withBytes { bytes in
        for offset in stride(from: 0, to: bytes.byteCount, by: 4096) {
          bytes.storeBytes(of: 1, toByteOffset: offset, as: UInt8.self)
        }
      }
      return nil
    }, nil)
  #expect(code == 0)
  pthread_join(thread, nil)
}

struct ThreadBufferTests {
  @Test func endsWithItsThread() {
    let before = ProcessStatistics().residentBytes
    for _ in 0..<256 { useBufferOfNewThread() }
    // Other tests take memory meanwhile; kept buffers would be twice as much.
    #expect(ProcessStatistics().residentBytes - before < 128 * ThreadBuffer.byteCount)
  }
}
