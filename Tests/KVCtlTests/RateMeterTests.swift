import Testing

@testable import kvctl

@Suite struct RateMeterTests {
  @Test func knowsNothingAtFirst() {
    var meter = RateMeter()
    #expect(meter.bytesPerSecond == nil)
    meter.record(bytes: 100, atSeconds: 0)
    #expect(meter.bytesPerSecond == nil)
  }

  @Test func goesByTheLastSeconds() {
    var meter = RateMeter()
    for second in 0...20 {
      meter.record(bytes: second <= 10 ? 100 * second : 1000 + 10 * (second - 10), atSeconds: Double(second))
    }
    #expect(meter.bytesPerSecond == 10)
  }

  @Test func doesNotCountWhatWasThereBefore() {
    var meter = RateMeter()
    meter.record(bytes: 1_000_000, atSeconds: 0)
    meter.record(bytes: 1_000_500, atSeconds: 2)
    #expect(meter.bytesPerSecond == 250)
  }

  @Test func comparesAcrossAPause() {
    var meter = RateMeter()
    meter.record(bytes: 0, atSeconds: 0)
    meter.record(bytes: 1000, atSeconds: 100)
    #expect(meter.bytesPerSecond == 10)
  }
}
