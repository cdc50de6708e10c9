import KVCluster
import Glibc

// simulate FIRST COUNT [without RULE] [history]
let arguments = CommandLine.arguments.dropFirst()
let numbers = arguments.compactMap { UInt64($0) }
guard numbers.count >= 2 else {
  print("usage: simulate FIRST COUNT [without RULE] [history]")
  exit(64)
}
var rules = Rules.all
if arguments.contains("without") {
  guard let mutant = Mutant(named: arguments.last ?? "") else {
    print("the rules are: \(Mutant.all.map(\.name).joined(separator: ", "))")
    exit(64)
  }
  rules.remove(mutant.rule)
}
let isWhole = rules == .all
var report = Report()
for seed in numbers[0]..<(numbers[0] + numbers[1]) {
  let world = World(seed: seed, rules: rules)
  report.add(world.run(), of: world, seed: seed)
  if arguments.contains("history") { world.printHistory() }
  if report.violations >= (isWhole ? 5 : 1) { break }
}
report.print()
exit(isWhole == (report.violations == 0) ? 0 : 1)
