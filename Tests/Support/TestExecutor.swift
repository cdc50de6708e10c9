import KVLinux
import Testing

/// Executors for tests; they live as long as the process, so most tests share one.
package enum TestExecutor {
  package static let shared = make(threadCount: 2)

  package static func make(threadCount: Int) -> IOExecutor {
    do throws(SystemError) {
      return try IOExecutor(name: "test", threadCount: threadCount)
    } catch {
      preconditionFailure("no executor: \(error)")
    }
  }
}

/// Runs a test's body where it may wait for descriptors.
package func onExecutor(
  _ executor: IOExecutor = TestExecutor.shared, _ body: @Sendable () async throws -> Void
) async throws {
  try await withTaskExecutorPreference(executor, operation: body)
}
