import Glibc

/// Lets one thread wait for another (sem_init(3)).
final class Semaphore: Sendable {
  /// The semaphore stays where it was initialised, and sem_post(3) and sem_wait(3) may be called from any
  /// thread: so sharing the pointer is safe.
  private nonisolated(unsafe) let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() {
    let result = sem_init(semaphore, 0, 0)
    precondition(result == 0, "sem_init fails only for a value out of range")
  }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  func signal() { sem_post(semaphore) }

  func wait() {
    while sem_wait(semaphore) != 0 && errno == EINTR {}
  }
}
