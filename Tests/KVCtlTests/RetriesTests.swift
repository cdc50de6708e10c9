import Testing

@testable import kvctl

@Suite struct RetriesTests {
  @Test(arguments: [(0, 250), (1, 500), (2, 1000), (6, 16_000), (7, 30_000), (1000, 30_000)])
  func waitsTwiceAsLongEachTime(failures: Int, milliseconds: Int) {
    #expect(Retries.pause(afterFailure: failures, chance: 0) == .milliseconds(milliseconds))
    #expect(Retries.pause(afterFailure: failures, chance: 1) == .milliseconds(milliseconds / 2))
  }

  private func tries(_ retries: Retries, isRepeatable: Bool = true, _ error: CommandError) async -> Int {
    var tries = 0
    try? await retries.run(isRepeatable: isRepeatable) { () async throws(CommandError) in
      tries += 1
      throw error
    }
    return tries
  }

  @Test func triesAgainOnlyWhatMayPass() async {
    // None of these waits: a wait needs a thread of an executor.
    #expect(await tries(.none, CommandError(.unreachable, "")) == 1)
    #expect(await tries(Retries(retriesMax: 3), CommandError(.failure, "")) == 1)
    #expect(await tries(Retries(retriesMax: 3), CommandError(.preconditionFailed, "")) == 1)
    #expect(await tries(Retries(retriesMax: 3), isRepeatable: false, CommandError(.unreachable, "")) == 1)
  }
}
