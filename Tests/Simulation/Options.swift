import KVCluster

/// What a seed decides before anything happens: how bad this world is.
struct Options {
  var rules = Rules.all
  var hostCount = 5
  var copies = 3
  var clientCount = 3
  var operationsEach = 6
  var keyCount = 3
  var loss = 0.0
  var duplication = 0.0
  var slowness = 0.0
  var failingSyncs = 0.0
  /// Whether clients and faults follow each other closely.
  var isHot = false
  var hasCrashes = false
  var hasPartitions = false
  var hasRepair = false
  var hasPurge = false
  var hasChanges = false
  /// How many keys an acceptor remembers promises of.
  var promisesMax = Acceptor.promisesMax

  init(_ random: inout Randomness, rules: Rules) {
    self.rules = rules
    copies = random.pick([1, 3, 3, 3])
    keyCount = random.pick([1, 1, 2, 3])
    loss = random.pick([0, 0.02, 0.1, 0.2])
    duplication = random.pick([0, 0.05, 0.2])
    slowness = random.pick([0, 0.05, 0.15])
    failingSyncs = random.pick([0, 0, 0.01])
    isHot = random.chance(0.5)
    hasCrashes = random.chance(0.7)
    hasPartitions = random.chance(0.6)
    hasRepair = random.chance(0.8)
    hasPurge = random.chance(0.9)
    hasChanges = random.chance(0.7)
    promisesMax = random.pick([1, 2, 1000])
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
  mutating func chance(_ probability: Double) -> Bool { Double(next() >> 11) < probability * 9_007_199_254_740_992 }
  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

  mutating func ticks(_ range: ClosedRange<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * (Double(next() >> 11) / 9_007_199_254_740_992)
  }

  mutating func shuffle<Element>(_ elements: inout [Element]) {
    for index in stride(from: elements.count - 1, to: 0, by: -1) { elements.swapAt(index, below(index + 1)) }
  }
}
