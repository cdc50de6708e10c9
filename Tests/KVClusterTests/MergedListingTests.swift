import KVCore
import KVHTTP
import TestSupport
import Testing

@testable import KVCluster

@Suite struct MergedListingTests {
  /// Of four nodes, the first three own the slot that all keys have here.
  private static let layout = Layout(first: memberList([1, 2, 3, 4]), proposal: ballot(1))
  private static let slot = Slot(number: 0)

  private static func value(_ key: String, _ byteCount: Int) -> ListedValue {
    ListedValue(
      key: Array(key.utf8), byteCount: byteCount, checksum: ValueChecksum(high: 0, low: UInt64(byteCount)),
      modifiedAt: HTTPDate(secondsSince1970: byteCount))
  }

  private static func page(_ values: [ListedValue], next: String? = nil) -> ListPage {
    ListPage(entries: values.map { .value($0) }, next: next.map { Array($0.utf8) })
  }

  private static func findings(
    _ pages: [Member: ListPage], _ layout: Layout = layout, slot: Slot = slot
  ) -> [MergedListing.Finding] {
    var merged = MergedListing(pages, layout) { _ in slot }
    return merged.next(1000, unsureMax: 1000)
  }

  /// What nodes 1 to 4 say of a key: a size, 0 for nothing, -1 where they do not answer.
  @Test(arguments: [
    ([5, 5, 5, 0], "5"), ([5, 5, 0, 0], "5"), ([0, 5, 5, 0], "5"), ([5, 0, 0, 0], "nothing"), ([5, 5, 6, 0], "5"),
    ([5, 6, 6, 0], "6"), ([5, 6, 7, 0], "unsure 5 6 7"), ([5, 6, 0, 0], "unsure 5 6"),
    // Two of three owners.
    ([-1, 5, 5, 0], "5"), ([5, -1, 0, 0], "unsure 5"), ([5, 6, -1, 0], "unsure 5 6"), ([0, 0, -1, 5], "nothing"),
    // The fourth has no say, whatever it has.
    ([5, 5, 6, 6], "5"), ([0, 0, 6, 6], "nothing"), ([5, 6, -1, 6], "unsure 5 6"),
    // One alone is no majority: all that there is.
    ([5, -1, -1, 0], "5"), ([0, -1, -1, 0], "nothing"), ([5, -1, -1, -1], "5"),
  ])
  func whatAMajorityOfTheOwnersSaysIsListed(said: [Int], expected: String) throws {
    var pages: [Member: ListPage] = [:]
    for (index, byteCount) in said.enumerated() where byteCount >= 0 {
      pages[Member(UInt16(index + 1))] = Self.page(byteCount == 0 ? [] : [Self.value("k", byteCount)])
    }
    let found = Self.findings(pages).map { finding in
      switch finding {
      case .entry(.value(let value)): "\(value.byteCount)"
      case .entry(.group): "group"
      case .unsure(_, let listed): "unsure " + listed.map(\.byteCount).sorted().map { "\($0)" }.joined(separator: " ")
      }
    }
    #expect(found == (expected == "nothing" ? [] : [expected]))
  }

  /// Nothing can be said of what one of those who answered has not come to.
  @Test func endsWhereThePageThatComesLeastFarDoes() {
    let pages: [Member: ListPage] = [
      Member(1): Self.page([Self.value("a", 1), Self.value("c", 1)], next: "d"),
      Member(2): Self.page([Self.value("a", 1), Self.value("c", 1), Self.value("e", 1)]),
      Member(3): Self.page([Self.value("a", 1)], next: "b"),
    ]
    #expect(Self.findings(pages) == [.entry(.value(Self.value("a", 1)))])
    var merged = MergedListing(pages, Self.layout) { _ in Self.slot }
    #expect(merged.place == Array("a".utf8))
    _ = merged.next(1000, unsureMax: 1000)
    #expect(merged.place == Array("b".utf8))
    #expect(merged.next(1000, unsureMax: 1000).isEmpty)
  }

  @Test func aGroupIsListedOnceWhereOneHasAKeyOfIt() {
    let group = ListEntry.group(Array("g/".utf8))
    let pages: [Member: ListPage] = [
      Member(1): ListPage(entries: [group], next: nil), Member(2): ListPage(entries: [], next: nil),
      Member(3): ListPage(entries: [group, .group(Array("h/".utf8))], next: nil),
    ]
    #expect(Self.findings(pages) == [.entry(group), .entry(.group(Array("h/".utf8)))])
  }

  /// Those that a group moves to have not fetched all of it yet.
  @Test func whileAGroupMovesItsPresentOwnersAreHeeded() {
    let moving = Self.layout.changing(to: memberList([4, 5, 6, 1]), proposal: ballot(2)).moving(
      [0], proposal: ballot(3))
    let listed = Self.page([Self.value("k", 5)])
    let none = Self.page([])
    let pages = [1: listed, 2: listed, 3: none, 4: none, 5: none, 6: none] as [UInt16: ListPage]
    let byMember = Dictionary(uniqueKeysWithValues: pages.map { (Member($0.key), $0.value) })
    #expect(Self.findings(byMember, moving) == [.entry(.value(Self.value("k", 5)))])
    // Once it has moved, those are no owners.
    #expect(Self.findings(byMember, moving.switching([0], proposal: ballot(4))).isEmpty)
  }

  @Test func ofEachListMajoritiesMustBeLeft() {
    let changing = Self.layout.changing(to: memberList([3, 4, 5]), proposal: ballot(2))
    for (missing, isEnough) in [
      ([], true), ([1], true), ([5], true), ([1, 5], true), ([1, 2], false), ([4, 5], false), ([3, 5], false),
    ] as [([UInt16], Bool)] {
      #expect(changing.hasMajorities(without: Set(missing.map { Member($0) })) == isEnough, "\(missing)")
    }
    let two = Layout(first: memberList([1, 2, 3], copies: 2), proposal: ballot(1))
    #expect(two.hasMajorities(without: []) && !two.hasMajorities(without: [Member(1)]))
  }

  /// Owners that missed writes and deletions, nodes that are away and pages that end anywhere: page by page, what is
  /// decided is listed once, in order.
  @Test func pagesOfLaggingOwnersGiveWhatIsDecided() {
    var generator = SeededGenerator(seed: 6)
    for _ in 0..<200 {
      let world = World(&generator)
      var (given, start) = ([] as [ListedValue], [] as [UInt8]?)
      while let from = start {
        var merged = MergedListing(world.pages(from: from, &generator), world.layout, slot: World.slot)
        var gathering = ListGathering(limit: 7)
        // A page may end anywhere.
        var findingsLeft = Int.random(in: 1...20, using: &generator)
        while !gathering.isFull, findingsLeft > 0 {
          let findings = merged.next(min(5, findingsLeft), unsureMax: 2)
          if findings.isEmpty { break }
          findingsLeft -= findings.count
          for finding in findings {
            switch finding {
            case .entry(let entry): gathering.insert(entry)
            case .unsure(let key, let listed):
              #expect(!listed.isEmpty)
              if let value = world.decided[key.bytes] { gathering.insert(.value(value)) }
            }
          }
        }
        if let place = merged.place { gathering.end(before: place) }
        let page = gathering.page()
        for case .value(let value) in page.entries { given.append(value) }
        start = page.next
      }
      #expect(given == world.decided.values.sorted { $0.key.lexicographicallyPrecedes($1.key) })
    }
  }

  /// Values as five nodes may have them: what is decided is on two of three owners at least, and one may have anything
  /// that was before, or nothing.
  private struct World {
    let layout = Layout(first: memberList([1, 2, 3, 4, 5]), proposal: ballot(1))
    private(set) var decided: [[UInt8]: ListedValue] = [:]
    private var held: [Member: [[UInt8]: ListedValue]] = [:]

    @Sendable static func slot(_ key: Key) -> Slot { Slot(number: Int(key.bytes[1]) * 6151 % Slot.count) }

    init(_ generator: inout SeededGenerator) {
      for number in 0..<60 {
        let text = "k\(Unicode.Scalar(UInt8(33 + number)))"
        let owners = layout.view(of: Self.slot((try? Key(Array(text.utf8))) ?? sampleKey)).owners
        let laggard = owners.randomElement(using: &generator)
        let now = value(text, Int.random(in: 0...2, using: &generator), in: &generator)
        let before = value(text, Int.random(in: 0...2, using: &generator), in: &generator)
        decided[Array(text.utf8)] = now
        for owner in owners { held[owner, default: [:]][Array(text.utf8)] = owner == laggard ? before : now }
      }
    }

    private func value(_ key: String, _ kind: Int, in generator: inout SeededGenerator) -> ListedValue? {
      kind == 0 ? nil : MergedListingTests.value(key, Int.random(in: 1...1000, using: &generator))
    }

    func pages(from: [UInt8], _ generator: inout SeededGenerator) -> [Member: ListPage] {
      let away = Member(UInt16.random(in: 0...5, using: &generator))
      var pages: [Member: ListPage] = [:]
      for member in layout.members.map(\.member) where member != away {
        let rest = (held[member] ?? [:]).values.filter { !$0.key.lexicographicallyPrecedes(from) }
          .sorted { $0.key.lexicographicallyPrecedes($1.key) }
        let passed = rest.prefix(Int.random(in: 1...20, using: &generator))
        pages[member] = ListPage(
          entries: passed.map { .value($0) }, next: rest.count > passed.count ? rest[passed.count].key : nil)
      }
      return pages
    }
  }
}
