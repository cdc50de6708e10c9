import KVCluster

/// A rule that is left out, to show that it is needed: in which worlds, and within how many of them, that comes out.
struct Mutant {
  let name: String
  let rule: Rules
  let setting: Options.Setting
  let schedulesMax: UInt64

  init?(named name: String) {
    guard let mutant = Self.all.first(where: { $0.name == name }) else { return nil }
    self = mutant
  }

  private init(_ name: String, _ rule: Rules, _ setting: Options.Setting, within schedulesMax: UInt64) {
    self.name = name
    self.rule = rule
    self.setting = setting
    self.schedulesMax = schedulesMax
  }

  static let all = [
    Mutant("readsOnlyChosen", .readsOnlyChosen, .contended, within: 5000),
    Mutant("refusesOnlyOnChosen", .refusesOnlyOnChosen, .contended, within: 5000),
    Mutant("agreesOnBallots", .agreesOnBallots, .contended, within: 5000),
    Mutant("triesOnce", .triesOnce, .contended, within: 5000),
    Mutant("wantsProof", .wantsProof, .contended, within: 5000),
    Mutant("keepsHorizon", .keepsHorizon, .dying, within: 5000),
    Mutant("raisesFloor", .raisesFloor, .purging, within: 5000),
    Mutant("purgesFromAll", .purgesFromAll, .purging, within: 5000),
    Mutant("teachesOnlyChosen", .teachesOnlyChosen, .contended, within: 5000),
    Mutant("countsDisks", .countsDisks, .losing, within: 5000),
    Mutant("fences", .fences, .moving, within: 5000),
    Mutant("rejoinsEmpty", .rejoinsEmpty, .moving, within: 5000),
    Mutant("switchesWhenSynced", .switchesWhenSynced, .moving, within: 5000),
    Mutant("renumbersDisks", .renumbersDisks, .losing, within: 5000),
    Mutant("syncsAtStart", .syncsAtStart, .dying, within: 5000),
    Mutant("stopsAtFailedSync", .stopsAtFailedSync, .syncing, within: 5000),
    Mutant("acceptsOnlyBytes", .acceptsOnlyBytes, .dying, within: 5000),
    Mutant("raisesFloorFirst", .raisesFloorFirst, .purging, within: 5000),
    Mutant("remembersEvicted", .remembersEvicted, .crowded, within: 5000),
    Mutant("tellsRequestsApart", .tellsRequestsApart, .contended, within: 5000),
  ]
}
