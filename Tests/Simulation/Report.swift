import KVCluster

/// What came of many worlds.
struct Report {
  private(set) var schedules = 0
  private(set) var violations = 0
  private var counts: [String: Int] = [:]

  mutating func add(_ verdict: String?, of world: World, seed: UInt64) {
    schedules += 1
    for (what, number) in world.counts { counts[what, default: 0] += number }
    guard let verdict else { return }
    violations += 1
    Swift.print("seed \(seed): \(verdict)")
  }

  func print() {
    Swift.print("\(schedules) schedules, \(violations) violations")
    for (what, number) in counts.sorted(by: { $0.key < $1.key }) { Swift.print("  \(what): \(number)") }
  }
}

/// A rule that is left out, to show that it is needed.
struct Mutant {
  let name: String
  let rule: Rules
  /// Within so many schedules its violation is found.
  let schedulesMax: UInt64

  static let all = [
    Mutant(name: "readsOnlyChosen", rule: .readsOnlyChosen, schedulesMax: 2000),
    Mutant(name: "refusesOnlyOnChosen", rule: .refusesOnlyOnChosen, schedulesMax: 2000),
    Mutant(name: "agreesOnBallots", rule: .agreesOnBallots, schedulesMax: 2000),
    Mutant(name: "triesOnce", rule: .triesOnce, schedulesMax: 2000),
    Mutant(name: "wantsProof", rule: .wantsProof, schedulesMax: 2000),
    Mutant(name: "keepsHorizon", rule: .keepsHorizon, schedulesMax: 2000),
    Mutant(name: "raisesFloor", rule: .raisesFloor, schedulesMax: 2000),
    Mutant(name: "purgesFromAll", rule: .purgesFromAll, schedulesMax: 2000),
    Mutant(name: "teachesOnlyChosen", rule: .teachesOnlyChosen, schedulesMax: 2000),
    Mutant(name: "countsDisks", rule: .countsDisks, schedulesMax: 2000),
    Mutant(name: "fences", rule: .fences, schedulesMax: 2000),
    Mutant(name: "rejoinsEmpty", rule: .rejoinsEmpty, schedulesMax: 2000),
    Mutant(name: "switchesWhenSynced", rule: .switchesWhenSynced, schedulesMax: 2000),
    Mutant(name: "renumbersDisks", rule: .renumbersDisks, schedulesMax: 2000),
    Mutant(name: "syncsAtStart", rule: .syncsAtStart, schedulesMax: 2000),
    Mutant(name: "stopsAtFailedSync", rule: .stopsAtFailedSync, schedulesMax: 2000),
    Mutant(name: "acceptsOnlyBytes", rule: .acceptsOnlyBytes, schedulesMax: 2000),
    Mutant(name: "raisesFloorFirst", rule: .raisesFloorFirst, schedulesMax: 2000),
    Mutant(name: "remembersEvicted", rule: .remembersEvicted, schedulesMax: 2000),
    Mutant(name: "tellsRequestsApart", rule: .tellsRequestsApart, schedulesMax: 2000),
  ]

  init?(named name: String) {
    guard let mutant = Self.all.first(where: { $0.name == name }) else { return nil }
    self = mutant
  }

  private init(name: String, rule: Rules, schedulesMax: UInt64) {
    self.name = name
    self.rule = rule
    self.schedulesMax = schedulesMax
  }
}
