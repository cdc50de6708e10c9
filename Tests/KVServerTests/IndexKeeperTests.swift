import KVCore
import KVStore
import Logging
import TestSupport
import Testing

@testable import KVServer

@Suite(.hangLimit) struct IndexKeeperTests {
  @Test func mendsAnIndexThatHasFailedAndNotAgainAtOnce() async throws {
    let fixture = try StoreFixture(durability: .relaxed)
    let index = fixture.store.index
    try await Wire.test {
      let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      var keeper = IndexKeeper(store: fixture.store, logger: logger, pace: .seconds(1))
      await keeper.step(lateBy: .zero)
      #expect(!index.needsBuilding)
      try fixture.damageIndex()
      try await fixture.put(try Key(text: "a"), [1])
      #expect(index.failure != nil)
      await keeper.step(lateBy: .zero)
      #expect(index.failure == nil && !index.needsBuilding)
      let page = try index.page(ListRequest(prefix: [])) { _ in true }
      #expect(page.entries.map(\.name) == [Array("a".utf8)])
      // One that fails again and again is not made anew all the time.
      try fixture.damageIndex()
      try await fixture.put(try Key(text: "b"), [1])
      await keeper.step(lateBy: .zero)
      #expect(index.failure != nil)
    }
  }
}
