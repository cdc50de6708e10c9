import Glibc

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
