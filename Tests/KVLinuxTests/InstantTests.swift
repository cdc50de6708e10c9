import KVCore
import Testing

@testable import KVLinux

struct InstantTests {
  @Test(
    arguments: [
      (.seconds(90), 90_000_000_000), (.milliseconds(1500), 1_500_000_000), (.nanoseconds(7), 7), (.zero, 0),
      (.milliseconds(-1500), -1_500_000_000),
    ] as [(Duration, Int64)])
  func isThatLongAfterNow(duration: Duration, nanoseconds: Int64) {
    let before = Instant.now
    let instant = Instant.after(duration)
    let after = Instant.now
    #expect((before.nanoseconds + nanoseconds...after.nanoseconds + nanoseconds).contains(instant.nanoseconds))
  }

  @Test func knowsHowLongAgo() {
    let (early, late) = (Instant(nanoseconds: 5), Instant(nanoseconds: 1_000_000_005))
    #expect(late.since(early) == .seconds(1))
    #expect(early.since(late) == .seconds(-1))
    #expect(early < late)
    #expect(!(late < early))
  }

  @Test func theWallClockIsPast2020() {
    #expect(Instant.wallNanoseconds > 1_577_836_800_000_000_000)
  }
}
