import Glibc
import KVCore

/// A buffer that each thread lends to whatever it is doing between two waits.
///
/// Bytes go through it within one step, from a socket to a file or another socket, and what is left over when
/// the step must wait is copied out: so memory follows the number of threads, not of transfers.
package enum ThreadBuffer {
  /// Large enough that system calls cost little, small enough to stay in a core's cache while the checksum
  /// reads what the socket just wrote.
  package static let byteCount = 1024 * 1024

  /// Lends the buffer for one step. The step must not lend it again.
  @inline(__always)
  package static func withBytes<Result, Failure: Error>(
    _ step: (inout MutableRawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let buffer = ThreadLocals.buffer
    var bytes = buffer.mutableBytes
    return try step(&bytes)
  }
}

/// What a thread of an `IOExecutor` is about. It belongs to that thread alone.
final class ThreadContext {
  unowned let executor: IOExecutor
  /// Whether the thread is resuming tasks, whose jobs it takes itself.
  var isDispatching = false
  /// The jobs of those tasks.
  var dispatched: [UnownedJob] = []
  /// When the thread began the job that it runs.
  var turnBegan = Instant.now

  init(_ executor: IOExecutor) { self.executor = executor }
}

/// What each thread has of its own (pthread_getspecific(3)).
enum ThreadLocals {
  private static let contextKey = makeKey(freeing: nil)
  private static let bufferKey = makeKey(freeing: { $0?.deallocate() })

  /// What the thread is about, if it belongs to an executor; retained for good, as executors live as long as the process.
  static var context: ThreadContext? {
    get {
      pthread_getspecific(contextKey).map { Unmanaged<ThreadContext>.fromOpaque($0).takeUnretainedValue() }
    }
    set {
      pthread_setspecific(contextKey, newValue.map { UnsafeRawPointer(Unmanaged.passRetained($0).toOpaque()) })
    }
  }

  /// The thread's transfer buffer, made at its first use and kept until the thread ends.
  static var buffer: UnsafeMutableRawBufferPointer {
    let byteCount = ThreadBuffer.byteCount
    if let start = pthread_getspecific(bufferKey) {
      return UnsafeMutableRawBufferPointer(start: start, count: byteCount)
    }
    let made = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 4096)
    pthread_setspecific(bufferKey, UnsafeRawPointer(made.baseAddress))
    return made
  }

  private static func makeKey(
    freeing free: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
  ) -> pthread_key_t {
    var key = pthread_key_t()
    let code = pthread_key_create(&key, free)
    precondition(code == 0, "out of thread-specific keys")
    return key
  }
}

extension Array<UInt8> {
  /// The bytes, copied.
  package init(copying bytes: RawSpan) {
    self = bytes.withUnsafeBytes { Array($0) }
  }

  /// Adds a copy of the bytes at the end.
  package mutating func append(copying bytes: RawSpan) {
    bytes.withUnsafeBytes { append(contentsOf: $0) }
  }

  /// Lends the bytes to code that takes them from wherever they lie.
  @inline(__always)
  package func withBytes<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(span.bytes)
  }
}

extension Array<UInt8> {
  /// Lends the bytes to code that writes them to wherever they lie.
  @inline(__always)
  package mutating func withMutableBytes<Result, Failure: Error>(
    _ body: (inout MutableRawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    var span = mutableSpan
    var bytes = span.mutableBytes
    return try body(&bytes)
  }
}

extension ArraySlice<UInt8> {
  /// Lends the bytes to code that takes them from wherever they lie.
  @inline(__always)
  package func withBytes<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(span.bytes)
  }
}

extension MutableRawSpan {
  /// Copies as many of the bytes as fit to the beginning, and returns how many those are.
  package mutating func copy(_ bytes: RawSpan) -> Int {
    let count = min(byteCount, bytes.byteCount)
    withUnsafeMutableBytes { target in
      bytes.withUnsafeBytes { target.copyMemory(from: .init(rebasing: $0.prefix(count))) }
    }
    return count
  }
}
