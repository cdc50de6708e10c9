import KVCore
import KVHTTP
import KVLinux
import TestSupport
import Testing

@testable import KVStore

@Suite struct ValueIndexTests {
  /// All pages of a listing, put together.
  private static func all(_ store: Store, _ request: ListRequest) throws -> [ListEntry] {
    var request = request
    var entries: [ListEntry] = []
    while true {
      let page = try store.index.page(request) { _ in true }
      #expect(page.entries.count <= request.limit)
      entries += page.entries
      guard let next = page.next else { return entries }
      #expect(request.from.lexicographicallyPrecedes(next))
      request.from = next
    }
  }

  private static func build(_ store: Store) async throws {
    try await withTaskExecutorPreference(Wire.executor) { try await store.buildIndex() }
  }

  /// What a listing should be of such keys.
  private static func expected(_ keys: Set<[UInt8]>, _ request: ListRequest) -> [[UInt8]] {
    let matching = keys.filter { $0.starts(with: request.prefix) && !$0.lexicographicallyPrecedes(request.from) }
    return Set(matching.map { request.group(of: $0) ?? $0 }).sorted { $0.lexicographicallyPrecedes($1) }
  }

  /// Keys that share long beginnings, about the length where an index name ends, and others.
  private static func keys(_ generator: inout SeededGenerator, count: Int) -> Set<[UInt8]> {
    var keys: Set<[UInt8]> = []
    let bytes: [UInt8] = [0x00, UInt8(ascii: "/"), UInt8(ascii: "s"), UInt8(ascii: "t"), 0xFF]
    while keys.count < count {
      let length = [Int.random(in: 0...6, using: &generator), 490, 493, 494, 495, 511, 1010].randomElement(
        using: &generator)
      let stem = [UInt8](repeating: UInt8(ascii: "s"), count: length ?? 0)
      let tail = (0..<Int.random(in: 1...8, using: &generator)).map { _ in
        bytes[Int.random(in: 0..<bytes.count, using: &generator)]
      }
      keys.insert(stem + tail)
    }
    return keys
  }

  @Test func pagesAreWhatAModelSays() async throws {
    var generator = SeededGenerator(seed: 12)
    let fixture = try StoreFixture(durability: .relaxed)
    try await Self.build(fixture.store)
    var keys = Self.keys(&generator, count: 90)
    for key in keys { try await fixture.put(try Key(key), key) }
    for key in Array(keys).prefix(30) {
      _ = try await fixture.store.delete(try Key(key))
      keys.remove(key)
    }
    for round in 0..<60 {
      // What was made by request is the same as what is made from the files.
      if round == 30 { try await Self.build(fixture.store) }
      var request = ListRequest(prefix: [])
      let key = keys.randomElement(using: &generator) ?? []
      if Bool.random(using: &generator) {
        request.prefix = Array(key.prefix(Int.random(in: 0...1020, using: &generator)))
      }
      if Bool.random(using: &generator) { request.from = Self.keys(&generator, count: 1).first ?? [] }
      if Bool.random(using: &generator) {
        request.delimiter = [[0x2F], [0x73, 0x74]].randomElement(using: &generator) ?? []
      }
      request.limit = Int.random(in: 1...40, using: &generator)
      #expect(try Self.all(fixture.store, request).map(\.name) == Self.expected(keys, request))
    }
  }

  @Test func tellsWhatTheValueIs() async throws {
    let fixture = try StoreFixture()
    try await Self.build(fixture.store)
    let key = try Key(text: "a")
    var value = try fixture.store.stage(key, byteCount: nil)
    try value.append(Array("hello".utf8))
    let fields = try ValueFields(["Content-Type": "text/plain", "Kvnode-Meta-A": "b"])
    let commit = try await value.commit(fields: fields)
    let listed = ListedValue(
      key: key.bytes, byteCount: 5, checksum: commit.attribute.checksum,
      modifiedAt: HTTPDate(secondsSince1970: Int(commit.attribute.committedAtNanoseconds / 1_000_000_000)),
      contentType: "text/plain")
    #expect(try Self.all(fixture.store, ListRequest(prefix: [])) == [.value(listed)])
    try await Self.build(fixture.store)
    #expect(try Self.all(fixture.store, ListRequest(prefix: [])) == [.value(listed)])
    #expect(try fixture.store.index.page(ListRequest(prefix: [])) { _ in false } == ListPage(entries: [], next: nil))
  }

  @Test func onlyAnIndexThatWasClosedInOrderIsUsedAgain() async throws {
    let directory = try TemporaryDirectory()
    let key = try Key(text: "a")
    do {
      let fixture = try StoreFixture(directory)
      #expect(throws: ValueIndex.Unusable.building(shardCount: 0)) {
        try fixture.store.index.page(ListRequest(prefix: [])) { _ in true }
      }
      try await Self.build(fixture.store)
      try await fixture.put(key, [1])
      fixture.store.index.close()
    }
    do {
      let fixture = try StoreFixture(directory)
      #expect(!fixture.store.index.needsBuilding)
      #expect(try Self.all(fixture.store, ListRequest(prefix: [])).map(\.name) == [key.bytes])
      fixture.store.index.close()
    }
    // A file that came while no node ran, as from a backup.
    let shard = ValuePath(key: key, slot: key.slot).directories[0]
    _ = try Directory(path: "\(directory.path)/data/values/\(shard)").createFile("by-hand")
    do {
      let fixture = try StoreFixture(directory)
      #expect(fixture.store.index.needsBuilding)
      // Not closed.
    }
    do {
      let fixture = try StoreFixture(directory)
      #expect(fixture.store.index.needsBuilding)
      try await Self.build(fixture.store)
      #expect(try Self.all(fixture.store, ListRequest(prefix: [])).map(\.name) == [key.bytes])
      // Closed, but something has changed that nobody told of.
      fixture.store.index.markStale()
      fixture.store.index.close()
    }
    #expect(try StoreFixture(directory).store.index.needsBuilding)
  }

  @Test func changesAmidTheBuildingCount() async throws {
    let fixture = try StoreFixture(durability: .relaxed)
    var generator = SeededGenerator(seed: 5)
    var keys: Set<[UInt8]> = []
    for number in 0..<400 {
      let key = Array("key-\(number)".utf8)
      keys.insert(key)
      try await fixture.put(try Key(key), key)
    }
    for _ in 0..<3 {
      async let built: Void = Self.build(fixture.store)
      for _ in 0..<300 {
        let key = Array("key-\(Int.random(in: 0..<500, using: &generator))".utf8)
        if Bool.random(using: &generator) {
          try await fixture.put(try Key(key), key)
          keys.insert(key)
        } else {
          _ = try await fixture.store.delete(try Key(key))
          keys.remove(key)
        }
      }
      try await built
      let listed = try Self.all(fixture.store, ListRequest(prefix: []))
      #expect(listed.map(\.name) == keys.sorted { $0.lexicographicallyPrecedes($1) })
    }
  }

  @Test func aMapThatHasFailedIsReplacedWhileOthersUseIt() async throws {
    let fixture = try StoreFixture(durability: .relaxed)
    try await Self.build(fixture.store)
    let keys = ["a", "b", "c"].map { Array($0.utf8) }
    for key in keys.dropLast() { try await fixture.put(try Key(key), key) }
    try fixture.damageIndex()
    // The value is stored all the same.
    try await fixture.put(try Key(keys[2]), keys[2])
    #expect(fixture.store.index.failure != nil)
    #expect(fixture.store.index.needsBuilding)
    #expect(throws: ValueIndex.Unusable.building(shardCount: 0)) {
      try Self.all(fixture.store, ListRequest(prefix: []))
    }
    try await Self.build(fixture.store)
    #expect(fixture.store.index.failure == nil)
    #expect(try Self.all(fixture.store, ListRequest(prefix: [])).map(\.name) == keys)
    // A look finds it out too.
    try fixture.damageIndex()
    #expect(throws: ValueIndex.Unusable.building(shardCount: 0)) {
      try Self.all(fixture.store, ListRequest(prefix: []))
    }
    try await Self.build(fixture.store)
    #expect(try Self.all(fixture.store, ListRequest(prefix: [])).map(\.name) == keys)
    fixture.store.index.close()
    #expect(try Directory(path: "\(fixture.directory.path)/data/index").status(of: "clean") != nil)
  }

  /// The key's text stands before what is said of the value, whose first byte says how.
  @Test(arguments: [0, "b-a-key".utf8.count])
  func whatNobodyWroteBreaksTheIndex(offset: Int) async throws {
    let fixture = try StoreFixture(durability: .relaxed)
    try await Self.build(fixture.store)
    let keys = ["a-a-key", "b-a-key", "c-a-key"].map { Array($0.utf8) }
    for key in keys { try await fixture.put(try Key(key), key) }
    #expect(try Self.all(fixture.store, ListRequest(prefix: [])).map(\.name) == keys)
    try fixture.flipBitsInIndex(at: keys[1], offset: offset)
    #expect(throws: ValueIndex.Unusable.building(shardCount: 0)) {
      try Self.all(fixture.store, ListRequest(prefix: []))
    }
    #expect(fixture.store.index.failure?.contains("an entry that is none") == true)
    try await Self.build(fixture.store)
    #expect(try Self.all(fixture.store, ListRequest(prefix: [])).map(\.name) == keys)
  }
}
