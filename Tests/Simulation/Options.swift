import KVCluster

/// What a seed decides before anything happens: how bad this world is, and in which way.
struct Options {
  /// What a world is hardest on. Most rules are for one kind of trouble, and chance alone seldom leads there.
  enum Setting: String, CaseIterable {
    /// Some of everything.
    case mixed
    /// Many rounds about one key, of which few reach a majority.
    case contended
    /// Deletions that are soon forgotten, and messages that come late.
    case purging
    /// Owners that leave and return, two at a time.
    case moving
    /// Disks that are lost.
    case losing
    /// Syncs that fail.
    case syncing
    /// More keys than promises can be kept for.
    case crowded
    /// Hosts that die between the bytes and the round.
    case dying
    /// Bytes that rot.
    case rotting
    /// Clients that ask once more for what they do not know to be done.
    case repeating
    /// Hosts that agree on their first layout, and plan as nodes do after that.
    case founding
  }

  var rules = Rules.all
  var setting: Setting
  var hostCount = 5
  var copies = 3
  var clientCount = 3
  var operationsEach = 6
  var keyCount = 1
  /// What clients do, one of these at a time.
  var operations: [Operation.Choice] = [.get, .get, .get, .put, .delete, .create, .exchange, .exchange]
  /// How often a client asks once more, at most, for what it does not know to be done, as the same request.
  var repeatsMax = 0
  var thinkingTicks = 0.0...4
  /// How many of the messages are lost, and how many of the ACCEPTs besides.
  var loss = 0.0
  var acceptLoss = 0.0
  var duplication = 0.0
  var slowness = 0.0
  /// How many of the ACCEPTs are late besides.
  var acceptSlowness = 0.0
  var slowTicks = 20.0...250
  /// How many of the lessons come once more, late.
  var lateLessons = 0.0
  var failingSyncs = 0.0
  /// How far apart the faults are; nil where there are none of a kind.
  var crashTicks: ClosedRange<Double>?
  /// How many of the crashes are stops in good order.
  var stops = 0.0
  /// Whether floors are written, or kept in memory as nodes do.
  var writesFloors = false
  var rotTicks: ClosedRange<Double>?
  /// How many of the syncs are the last thing that a process does, just before or just after it.
  var midwayKills = 0.0
  var downTicks = 0.1...3
  var cutTicks: ClosedRange<Double>?
  var repairTicks: ClosedRange<Double>?
  var purgeTicks: ClosedRange<Double>?
  var wishTicks: ClosedRange<Double>?
  /// How many of the wishes are a lost disk's doing, and how many of the others exchange two hosts.
  var losses = 0.35
  var exchangesOfTwo = 0.2
  /// How many of the hosts hear of a new layout at once.
  var hearing = 0.8
  /// How many of the operators' files differ at first.
  var differingFiles = 0.0
  /// Whether a host has had values before there was a layout.
  var isOld = false
  /// How many of the owners that a write could be handed to are taken for silent.
  var suspicion = 0.0
  /// Whether whoever is asked to write has an owner run the round, the first that answers.
  var handsOver = false
  /// How many keys an acceptor remembers promises of.
  var promisesMax = Acceptor.promisesMax

  init(_ random: inout Randomness, rules: Rules, setting: Setting?) {
    self.rules = rules
    // Drawn in any case, so that a seed means the same where its setting is given.
    let drawn = random.pick([.mixed, .mixed, .mixed] + Setting.allCases.filter { $0 != .founding })
    self.setting = setting ?? drawn
    loss = random.pick([0, 0.02, 0.1, 0.2])
    duplication = random.pick([0, 0.05, 0.2])
    slowness = random.pick([0, 0.05, 0.15])
    switch self.setting {
    case .mixed: mix(&random)
    case .contended: contend(&random)
    case .purging: purge(&random)
    case .moving: move(&random)
    case .losing: lose(&random)
    case .syncing: failSyncs(&random)
    case .crowded: crowd(&random)
    case .dying: die(&random)
    case .rotting: rot(&random)
    case .repeating: repeatRequests(&random)
    case .founding: found(&random)
    }
    writesFloors = random.chance(0.3)
    stops = random.pick([0, 0.2])
    // Drawn aside, so that seeds mean what they meant before there was this.
    var peek = random
    var aside = Randomness(seed: peek.next())
    handsOver = aside.chance(0.5)
    suspicion = aside.pick([0, 0.1, 0.5])
  }

  private mutating func mix(_ random: inout Randomness) {
    copies = random.pick([1, 3, 3, 3])
    keyCount = random.pick([1, 1, 2, 3])
    failingSyncs = random.pick([0, 0, 0.01])
    let isHot = random.chance(0.5)
    thinkingTicks = isHot ? 0...4 : 0...25
    if random.chance(0.7) { crashTicks = isHot ? 1...12 : 10...90 }
    downTicks = isHot ? 0.1...3 : 2...60
    if random.chance(0.6) { cutTicks = 15...120 }
    if random.chance(0.8) { repairTicks = isHot ? 2...10 : 8...40 }
    if random.chance(0.9) { purgeTicks = isHot ? 2...10 : 8...40 }
    if random.chance(0.7) { wishTicks = 20...100 }
    promisesMax = random.pick([1, 2, 1000])
    if random.chance(0.5) { rotTicks = 10...60 }
  }

  private mutating func contend(_ random: inout Randomness) {
    clientCount = 4
    operations = [.get, .get, .get, .put, .exchange, .exchange, .exchange, .create]
    loss = random.pick([0, 0.02, 0.1])
    acceptLoss = random.pick([0, 0.2, 0.4, 0.6])
    duplication = random.pick([0, 0.2, 0.5])
    slowness = random.pick([0.05, 0.15, 0.3])
    acceptSlowness = random.pick([0, 0.3])
    slowTicks = 3...40
    if random.chance(0.3) { crashTicks = 10...60 }
    if random.chance(0.5) { repairTicks = 2...10 }
  }

  private mutating func purge(_ random: inout Randomness) {
    clientCount = 2
    operations = [.get, .put, .put, .delete, .delete]
    operationsEach = 20
    loss = 0
    acceptLoss = random.pick([0.1, 0.3])
    slowness = random.pick([0, 0.05])
    slowTicks = 5...40
    lateLessons = 0.7
    midwayKills = random.pick([0.05, 0.1])
    downTicks = 0.1...1
    repairTicks = 2...5
    purgeTicks = 1...3
    // An owner that is cut off hears of what was decided before it hears of a round.
    if random.chance(0.4) { cutTicks = 5...30 }
    if random.chance(0.4) { crashTicks = 3...20 }
  }

  private mutating func move(_ random: inout Randomness) {
    operations = [.get, .get, .get, .put, .put, .delete, .delete, .exchange]
    operationsEach = 8
    thinkingTicks = 0...10
    repairTicks = 2...10
    purgeTicks = 2...8
    wishTicks = 5...30
    losses = 0
    exchangesOfTwo = 0.7
    hearing = random.pick([0.2, 0.5, 0.8])
    if random.chance(0.3) { crashTicks = 10...60 }
    if random.chance(0.5) { cutTicks = 15...60 }
  }

  private mutating func lose(_ random: inout Randomness) {
    operationsEach = 8
    thinkingTicks = 0...10
    acceptLoss = random.pick([0, 0.2])
    if random.chance(0.5) { repairTicks = 4...20 }
    if random.chance(0.5) { purgeTicks = 4...20 }
    wishTicks = 5...30
    losses = 0.7
    if random.chance(0.5) { cutTicks = 15...60 }
  }

  private mutating func failSyncs(_ random: inout Randomness) {
    operations = [.get, .get, .get, .get, .put, .put, .exchange, .delete]
    failingSyncs = random.pick([0.05, 0.1, 0.2])
    loss = random.pick([0, 0.02, 0.1])
    if random.chance(0.5) { crashTicks = 2...30 }
    if random.chance(0.5) { repairTicks = 2...10 }
    if random.chance(0.5) { purgeTicks = 2...10 }
  }

  private mutating func crowd(_ random: inout Randomness) {
    clientCount = 6
    operations = [.get, .get, .get, .put, .exchange, .exchange, .exchange, .create]
    keyCount = 2
    promisesMax = random.pick([1, 2])
    slowness = random.pick([0.15, 0.3])
    slowTicks = 3...40
    acceptLoss = random.pick([0, 0.2])
  }

  private mutating func die(_ random: inout Randomness) {
    operations = [.get, .get, .get, .put, .exchange, .exchange, .create, .delete]
    crashTicks = random.pick([1...6, 3...12])
    midwayKills = random.pick([0, 0, 0.1])
    downTicks = random.pick([0.1...1, 0.1...10])
    loss = random.pick([0, 0.02])
    duplication = 0
    slowness = random.pick([0, 0.05])
    acceptSlowness = random.pick([0.2, 0.5])
    slowTicks = 2...20
    if random.chance(0.5) { repairTicks = 2...10 }
    if random.chance(0.5) { purgeTicks = 2...10 }
  }

  private mutating func found(_ random: inout Randomness) {
    copies = random.pick([1, 3, 3, 3])
    keyCount = random.pick([1, 3])
    isOld = random.chance(0.3)
    differingFiles = random.pick([0, 0, 0.3])
    thinkingTicks = 0...10
    if random.chance(0.6) { crashTicks = random.pick([2...12, 10...40]) }
    downTicks = random.pick([0.1...3, 2...60])
    if random.chance(0.5) { cutTicks = 10...60 }
    if random.chance(0.6) { wishTicks = random.pick([5...30, 30...150]) }
    losses = random.pick([0.3, 0.7])
    if random.chance(0.5) { repairTicks = 5...20 }
    if random.chance(0.5) { purgeTicks = 5...20 }
  }

  private mutating func repeatRequests(_ random: inout Randomness) {
    operations = [.get, .get, .put, .create, .create, .exchange, .exchange, .delete]
    // Each order in which what is unknown may have been done is tried in the end, so there is little of it.
    clientCount = 2
    operationsEach = 5
    repeatsMax = 1
    acceptLoss = random.pick([0.1, 0.2, 0.4])
    acceptSlowness = random.pick([0, 0.3])
    slowTicks = 3...60
    if random.chance(0.7) { crashTicks = random.pick([10...40, 20...90]) }
    downTicks = 0.1...20
    if random.chance(0.5) { repairTicks = 2...10 }
    if random.chance(0.3) { purgeTicks = 2...10 }
    if random.chance(0.3) { wishTicks = 10...60 }
    if random.chance(0.3) { rotTicks = 5...40 }
  }

  private mutating func rot(_ random: inout Randomness) {
    operations = [.get, .get, .get, .put, .put, .exchange, .create, .delete]
    operationsEach = 8
    thinkingTicks = 0...10
    acceptLoss = random.pick([0, 0.2, 0.4])
    rotTicks = 3...20
    if random.chance(0.5) { crashTicks = 5...40 }
    if random.chance(0.7) { repairTicks = 4...20 }
    if random.chance(0.3) { purgeTicks = 4...20 }
    if random.chance(0.3) { wishTicks = 10...60 }
  }
}

/// All chance of a world (SplitMix64, Steele et al. 2014).
struct Randomness {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 ^ 0x5851_f42d_4c95_7f2d }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
  mutating func chance(_ probability: Double) -> Bool {
    probability > 0 && Double(next() >> 11) < probability * 9_007_199_254_740_992
  }
  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

  mutating func ticks(_ range: ClosedRange<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * (Double(next() >> 11) / 9_007_199_254_740_992)
  }

  mutating func shuffle<Element>(_ elements: inout [Element]) {
    for index in stride(from: elements.count - 1, to: 0, by: -1) { elements.swapAt(index, below(index + 1)) }
  }
}
