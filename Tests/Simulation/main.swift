import Glibc
import KVCluster

// See scripts/simulate, which builds and runs this.
let usage = """
  usage: simulate FIRST COUNT [in SETTING] [without RULE] [history]
         simulate mutants
  """

var words = CommandLine.arguments.dropFirst()

@MainActor func fail(_ message: String) -> Never {
  print(message)
  exit(64)
}

/// The word behind a word, where that is there.
@MainActor func option(_ name: String) -> String? {
  guard let place = words.firstIndex(of: name) else { return nil }
  guard words.indices.contains(place + 1) else { fail(usage) }
  let value = words[place + 1]
  words.removeSubrange(place...(place + 1))
  return value
}

@MainActor func takeMutant() -> Mutant? {
  guard let name = option("without") else { return nil }
  guard let mutant = Mutant(named: name) else {
    fail("the rules are: \(Mutant.all.map(\.name).joined(separator: ", "))")
  }
  return mutant
}

@MainActor func takeSetting() -> Options.Setting? {
  guard let name = option("in") else { return nil }
  guard let setting = Options.Setting(rawValue: name) else {
    fail("the settings are: \(Options.Setting.allCases.map(\.rawValue).joined(separator: ", "))")
  }
  return setting
}

/// Runs worlds, until too many have gone wrong; how many have.
@MainActor func simulate(_ seeds: Range<UInt64>, _ rules: Rules, _ setting: Options.Setting?, until violationsMax: Int)
  -> Int
{
  var report = Report()
  for seed in seeds {
    let world = World(seed: seed, rules: rules, setting: setting)
    report.add(world.run(), of: world, seed: seed)
    if prints { world.printHistory() }
    if report.violations >= violationsMax { break }
  }
  report.print()
  return report.violations
}

if words.first == "mutants" {
  for mutant in Mutant.all { print(mutant.name, mutant.setting, mutant.schedulesMax) }
  exit(0)
}
let mutant = takeMutant()
let setting = takeSetting() ?? mutant?.setting
let prints = words.last == "history"
let numbers = words.prefix(2).compactMap { UInt64($0) }
guard numbers.count == 2, words.count == (prints ? 3 : 2), numbers[0] < .max - numbers[1] else { fail(usage) }
let violations = simulate(
  numbers[0]..<(numbers[0] + numbers[1]), mutant.map { Rules.all.subtracting($0.rule) } ?? .all, setting,
  until: mutant == nil ? 5 : 10)
exit(violations == 0 ? 0 : 1)
