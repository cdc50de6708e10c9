/// What came of many worlds.
struct Report {
  private(set) var schedules = 0
  private(set) var violations = 0
  private var counts = Counts()

  mutating func add(_ verdict: String?, _ counts: Counts, seed: UInt64) {
    schedules += 1
    self.counts.add(counts)
    guard let verdict else { return }
    violations += 1
    Swift.print("seed \(seed): \(verdict)")
  }

  func print() {
    Swift.print("\(schedules) schedules, \(violations) violations")
    for what in Counts.What.allCases { Swift.print("  \(what.word): \(counts[what])") }
  }
}
