import Glibc

/// What each thread of an `IOExecutor` has of its own (pthread_getspecific(3)).
enum ThreadLocals {
  private static let executorKey = makeKey(freeing: nil)
  private static let bufferKey = makeKey(freeing: { $0?.deallocate() })

  /// The executor that the thread belongs to, unretained: executors live as long as the process.
  static var executor: IOExecutor? {
    get {
      pthread_getspecific(executorKey).map { Unmanaged<IOExecutor>.fromOpaque($0).takeUnretainedValue() }
    }
    set {
      pthread_setspecific(executorKey, newValue.map { UnsafeRawPointer(Unmanaged.passUnretained($0).toOpaque()) })
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
