import Glibc
import KVCluster

// See scripts/simulate, which builds and runs this.
let usage = """
  usage: simulate FIRST COUNT [in SETTING] [without RULE] [history]
         simulate exhaust [without RULE]
         simulate mutants
  """

var words = CommandLine.arguments.dropFirst()

func fail(_ message: String) -> Never {
  print(message)
  exit(64)
}

/// The word behind a word, where that is there.
@MainActor func takeOption(_ name: String) -> String? {
  guard let place = words.firstIndex(of: name) else { return nil }
  guard words.indices.contains(place + 1) else { fail(usage) }
  let value = words[place + 1]
  words.removeSubrange(place...(place + 1))
  return value
}

@MainActor func takeWorlds() -> (Worlds, isMutant: Bool) {
  if let name = takeOption("without") {
    guard let mutant = Mutant(named: name) else {
      fail("the rules are: \(Mutant.all.map(\.name).joined(separator: ", "))")
    }
    return (mutant.worlds, true)
  }
  guard let name = takeOption("in") else { return (.clusters(.all, nil), false) }
  guard let worlds = Worlds(named: name) else { fail("the settings are: \(Worlds.names.joined(separator: ", "))") }
  return (worlds, false)
}

/// Runs worlds, until too many have gone wrong.
func simulate(_ worlds: Worlds, _ seeds: Range<UInt64>, printsHistory: Bool, until violationsMax: Int) -> Report {
  var report = Report()
  for seed in seeds where report.violations < violationsMax {
    switch worlds {
    case .clusters(.all, nil) where seed % 8 == 0:
      let world = RegisterWorld(seed: seed, rules: .all)
      report.add(world.run(), world.counts, seed: seed)
    case .clusters(.all, nil) where seed % 256 == 100:
      let world = World(seed: seed, setting: .founding)
      report.add(world.run(), world.counts, seed: seed)
      if printsHistory { world.printHistory() }
    case .clusters(.all, nil) where seed % 8 == 4:
      let world = FoundingWorld(seed: seed, rules: .all)
      report.add(world.run(), world.counts, seed: seed)
    case .clusters(let rules, let setting):
      let world = World(seed: seed, rules: rules, setting: setting)
      report.add(world.run(), world.counts, seed: seed)
      if printsHistory { world.printHistory() }
    case .foundings(let rules):
      let world = FoundingWorld(seed: seed, rules: rules)
      report.add(world.run(), world.counts, seed: seed)
    case .registers(let rules):
      let world = RegisterWorld(seed: seed, rules: rules)
      report.add(world.run(), world.counts, seed: seed)
    }
  }
  return report
}

/// Whether nothing can go wrong in small cases.
func exhaust(_ rules: Rules) -> Bool {
  for pair in Exhaustion.Pair.allCases {
    var search = Exhaustion(pair, rules: rules, attemptsMax: [1, 1], restarts: 1)
    let problem = search.run()
    print("\(pair.rawValue): \(search.momentCount) moments, \(problem ?? "all right")")
    if problem != nil { return false }
  }
  return true
}

if words.first == "mutants" {
  for mutant in Mutant.all { print(mutant.name, mutant.first, mutant.schedulesMax) }
  exit(0)
}
let (worlds, isMutant) = takeWorlds()
if words.first == "exhaust" {
  guard words.count == 1, case .clusters(let rules, _) = worlds else { fail(usage) }
  exit(exhaust(rules) ? 0 : 1)
}
let printsHistory = words.last == "history"
let numbers = words.prefix(2).compactMap { UInt64($0) }
guard numbers.count == 2, words.count == (printsHistory ? 3 : 2), numbers[0] < .max - numbers[1] else { fail(usage) }
let report = simulate(
  worlds, numbers[0]..<(numbers[0] + numbers[1]), printsHistory: printsHistory, until: isMutant ? 1 : 5)
report.print()
exit(report.violations == 0 ? 0 : 1)
