import Testing

@testable import KVStore

@Suite struct StoreUsageTests {
  @Test func countsWhatComesAndGoes() {
    let usage = StoreUsage()
    #expect(usage.record(shard: 0, .init(values: 2, bytes: 30), since: usage.glimpse(shard: 0)))
    usage.beginChange(shard: 0)
    usage.endChange(shard: 0, from: nil, to: 5)
    usage.beginChange(shard: 0)
    usage.endChange(shard: 0, from: 20, to: 1)
    #expect(usage.total.count == .init(values: 3, bytes: 16))
  }

  @Test func whatWasNeverCountedMakesNoDebtWhenItGoes() {
    let usage = StoreUsage()
    #expect(usage.record(shard: 0, .init(), since: usage.glimpse(shard: 0)))
    usage.beginChange(shard: 0)
    usage.endChange(shard: 0, from: 6, to: nil)
    #expect(usage.total.count == .init())
  }
}
