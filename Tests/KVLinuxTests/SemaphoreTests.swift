import Testing
import TestSupport

@testable import KVLinux

struct SemaphoreTests {
  @Test func countsSignals() {
    let semaphore = Semaphore()
    for _ in 0..<3 { semaphore.signal() }
    for _ in 0..<3 { semaphore.wait() }
  }

  @Test(.timeLimit(.minutes(10))) func letsAThreadWaitForAnother() {
    let (asked, answered) = (Semaphore(), Semaphore())
    Task(executorPreference: TestExecutor.shared) {
      asked.wait()
      answered.signal()
    }
    asked.signal()
    answered.wait()
  }
}
