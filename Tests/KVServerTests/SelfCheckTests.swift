import KVCore
import KVLinux
import KVStore
import Synchronization
import Testing
import TestSupport

@testable import KVServer

@Suite struct LivenessTests {
  @Test func sendsTheNextCheckOnceTheLastHasComeBack() {
    var liveness = Liveness()
    #expect(liveness.beat(progress: 0) == Liveness.Beat(sendsCheck: true, isBusy: false))
    liveness.cameBack()
    #expect(liveness.beat(progress: 0) == Liveness.Beat(sendsCheck: true, isBusy: false))
  }

  @Test func aStoreThatGetsOnIsAliveThoughTheCheckIsUnderWay() {
    var liveness = Liveness()
    _ = liveness.beat(progress: 7)
    #expect(liveness.beat(progress: 8) == Liveness.Beat(sendsCheck: false, isBusy: true))
    #expect(liveness.beat(progress: 8) == Liveness.Beat(sendsCheck: false, isBusy: false))
    #expect(liveness.beat(progress: 9) == Liveness.Beat(sendsCheck: false, isBusy: true))
  }
}

/// A store whose disk answers as the test says.
private final class StandInStore: CheckedStore {
  private let state = Mutex((error: StoreError?.none, progress: 0))

  var progress: Int { state.withLock { $0.progress } }

  func fail(_ error: StoreError?) { state.withLock { $0.error = error } }

  func probe() throws(StoreError) {
    let error = state.withLock { $0.error }
    if let error { throw error }
  }

  func space() throws(SystemError) -> Directory.Space { Directory.Space(freeBytes: 3, totalBytes: 9) }
}

private final class Told: Sendable {
  let verdicts = Mutex<[Health.Verdict]>([])
}

private final class Steps: Sendable {
  let taken = Atomic<Int>(0)
}

/// A clock that the test moves on by hand: so many steps, each when the last is done.
private func clock(steps: Int, _ beforeStep: @escaping @Sendable (Int) -> Void) -> UpkeepClock {
  let steps = (taken: Steps(), max: steps)
  return UpkeepClock(
    now: { .now },
    sleep: { _ in
      let step = steps.taken.taken.add(1, ordering: .relaxed).oldValue
      guard step < steps.max else { return false }
      beforeStep(step)
      return true
    })
}

@Suite(.hangLimit) struct SelfCheckTests {
  @Test func tellsWhatTheCheckFound() async throws {
    let store = StandInStore()
    let health = Health(ageMax: .seconds(3600))
    let told = Told()
    let threads = Wire.executor
    let check = SelfCheck(
      store: store, health: health, metrics: Metrics(), disk: threads, probe: threads,
      tell: { verdict in told.verdicts.withLock { $0.append(verdict) } })
    #expect(health.verdict == .unhealthy("starting"))
    try await Wire.test {
      await check.begin()
      #expect(health.verdict == .healthy)
      #expect(health.space == Directory.Space(freeBytes: 3, totalBytes: 9))
      store.fail(.full(detail: "no space"))
      await check.run(.seconds(1), clock(steps: 1) { _ in })
    }
    #expect(health.verdict == .unhealthy("no space"))
    #expect(told.verdicts.withLock { $0 } == [.healthy, .unhealthy("no space")])
  }

  @Test func aVerdictIsGoodForAWhileOnly() {
    let health = Health(ageMax: .zero)
    health.record(.healthy, Directory.Space(freeBytes: 0, totalBytes: 0))
    #expect(health.verdict == .unhealthy("the self-check has not come back for 0 s"))
  }
}

private struct Counter: Worker {
  let pace = Duration.seconds(1)
  var steps = 0

  mutating func step(lateBy _: Duration) async { steps += 1 }
}

@Suite struct WorkerTests {
  @Test func worksUntilTheClockSaysStop() async {
    var counter = Counter()
    await counter.run(clock(steps: 5) { _ in })
    #expect(counter.steps == 5)
  }
}

@Suite struct DescriptorBudgetTests {
  @Test(
    arguments: [
      (1_000_000, 1024, 1024, 1024), (20_000, 20_000, 2650, 1324), (1400, 1024, 170, 84), (64, 1024, 1, 1),
      (1_000_000, 4, 4, 4),
    ])
  func clientsAndNodesShareWhatThereIs(openFilesMax: Int, wanted: Int, clients: Int, peers: Int) {
    let limits = DescriptorBudget(openFilesMax: openFilesMax).limits(connectionsMax: wanted)
    #expect(limits == Admission.Limits(clientsMax: clients, peersMax: peers))
  }
}
