import KVCluster
import KVCore

/// A rule that is left out, to show that it is needed: in which worlds, and within how many of them, that comes out.
struct Mutant {
  let name: String
  let worlds: Worlds
  /// Where to begin, for what is rare.
  let first: UInt64
  let schedulesMax: UInt64

  init?(named name: String) {
    guard let mutant = Self.all.first(where: { $0.name == name }) else { return nil }
    self = mutant
  }

  private init(
    _ name: String, _ rule: Rules, _ setting: Options.Setting, from first: UInt64 = 1, within schedulesMax: UInt64
  ) {
    self.name = name
    self.first = first
    worlds = .clusters(Rules.all.subtracting(rule), setting)
    self.schedulesMax = schedulesMax
  }

  private init(_ name: String, _ rule: LayoutRules, within schedulesMax: UInt64) {
    self.name = name
    first = 1
    worlds = .registers(LayoutRules.all.subtracting(rule))
    self.schedulesMax = schedulesMax
  }

  private init(founding name: String, _ rule: LayoutRules, within schedulesMax: UInt64) {
    self.name = name
    first = 1
    worlds = .foundings(LayoutRules.all.subtracting(rule))
    self.schedulesMax = schedulesMax
  }

  static let all = [
    Mutant("readsOnlyChosen", .readsOnlyChosen, .contended, within: 500),
    Mutant("refusesOnlyOnChosen", .refusesOnlyOnChosen, .contended, within: 500),
    Mutant("agreesOnBallots", .agreesOnBallots, .contended, within: 8000),
    Mutant("triesOnce", .triesOnce, .contended, within: 200),
    Mutant("wantsProof", .wantsProof, .contended, within: 8000),
    Mutant("keepsHorizon", .keepsHorizon, .dying, within: 8000),
    Mutant("raisesFloor", .raisesFloor, .purging, within: 1000),
    Mutant("purgesFromAll", .purgesFromAll, .purging, within: 1000),
    Mutant("teachesOnlyChosen", .teachesOnlyChosen, .contended, within: 3000),
    Mutant("countsDisks", .countsDisks, .losing, within: 6000),
    Mutant("fences", .fences, .moving, within: 2000),
    Mutant("rejoinsEmpty", .rejoinsEmpty, .moving, within: 500),
    Mutant("switchesWhenSynced", .switchesWhenSynced, .moving, within: 3000),
    Mutant("renumbersDisks", .renumbersDisks, .losing, within: 1000),
    Mutant("syncsAtStart", .syncsAtStart, .dying, within: 5000),
    Mutant("stopsAtFailedSync", .stopsAtFailedSync, .syncing, within: 2000),
    Mutant("acceptsOnlyBytes", .acceptsOnlyBytes, .dying, within: 500),
    Mutant("raisesFloorFirst", .raisesFloorFirst, .purging, within: 6000),
    Mutant("remembersEvicted", .remembersEvicted, .crowded, within: 500),
    Mutant("tellsRequestsApart", .tellsRequestsApart, .contended, within: 2000),
    Mutant("datesLessons", .datesLessons, .moving, from: 3_008_001, within: 1000),
    Mutant("promisesBeforePurge", .promisesBeforePurge, .purging, from: 400_001, within: 1000),
    Mutant("floorsAtHorizon", .floorsAtHorizon, .purging, within: 8000),
    Mutant("bringsAllUp", .bringsAllUp, .moving, within: 3000),
    Mutant("marksHandovers", .marksHandovers, .contended, within: 1000),
    Mutant("recognisesRepeats", .recognisesRepeats, .repeating, within: 1000),
    Mutant("recognisesOnlyChosen", .recognisesOnlyChosen, .repeating, within: 3000),
    Mutant("recognisesOnlyUntried", .recognisesOnlyUntried, .repeating, from: 14_001, within: 1000),
    Mutant("keepsVotes", .keepsVotes, .rotting, within: 3000),
    Mutant(founding: "asksAllFounders", .asksAllFounders, within: 1000),
    Mutant(founding: "carriesFoundingsThrough", .carriesFoundingsThrough, within: 1000),
    Mutant("keepsPromises", .keepsPromises, within: 1000),
    Mutant("asksPredecessors", .asksPredecessors, within: 1000),
    Mutant("asksSuccessors", .asksSuccessors, within: 1000),
    Mutant("extendsPrepare", .extendsPrepare, within: 20_000),
    Mutant("jumpsWhenForced", .jumpsWhenForced, within: 1000),
    Mutant("renewsEpochs", .renewsEpochs, within: 1000),
    Mutant("overridesFound", .overridesFound, within: 1000),
    Mutant("renewsVotes", .renewsVotes, within: 3000),
    Mutant("renewsFromAll", .renewsFromAll, within: 20_000),
  ]
}

/// What kind of worlds are run.
enum Worlds {
  /// Whole clusters; of all settings where none is given, and registers among them.
  case clusters(Rules, Options.Setting?)
  /// The layout's register alone.
  case registers(LayoutRules)
  /// The round about the first layout alone.
  case foundings(LayoutRules)

  init?(named name: String) {
    if name == "register" {
      self = .registers(.all)
    } else if name == "firstRound" {
      self = .foundings(.all)
    } else if let setting = Options.Setting(rawValue: name) {
      self = .clusters(.all, setting)
    } else {
      return nil
    }
  }

  static let names = Options.Setting.allCases.map(\.rawValue) + ["register", "firstRound"]
}
