import CLinux
import Glibc

/// A thread of our own, which ends when its work does (pthread_create(3)).
enum Thread {
  private static let stackBytes = 512 * 1024

  private final class Work: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Starts a thread; of a name of more than 15 characters nothing is seen.
  static func start(named name: String, _ run: @escaping @Sendable () -> Void) throws(SystemError) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, stackBytes)
    pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let work = Unmanaged.passRetained(Work(run))
    let code = pthread_create(
      &thread, &attributes,
      { context in
        guard let context else { return nil }
        Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run()
        return nil
      }, work.toOpaque())
    guard code == 0 else {
      work.release()
      throw SystemError(call: "pthread_create", code: code)
    }
    clinux_name_thread(thread, name)
  }
}

/// Lets one thread wait for another (sem_init(3)).
package final class Semaphore: Sendable {
  /// Sharing the pointer is safe: it never changes, the semaphore stays where it was initialised until `deinit`, when
  /// nobody holds this object any more, and sem_post(3) and sem_wait(3) may be called from any thread at any time.
  private nonisolated(unsafe) let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  package init() {
    let result = sem_init(semaphore, 0, 0)
    precondition(result == 0, "sem_init fails only for a value out of range")
  }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  package func signal() { sem_post(semaphore) }

  package func wait() {
    while sem_wait(semaphore) != 0 && errno == EINTR {}
  }
}
