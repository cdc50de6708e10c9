import ArgumentParser
import KVCore

/// How many PUTs come to how many GETs: `--mix 1/3`.
struct BenchMix: ExpressibleByArgument, Equatable, Sendable, CustomStringConvertible {
  let puts: Int
  let gets: Int

  init(puts: Int, gets: Int) {
    precondition(puts + gets > 0, "a mix of nothing")
    self.puts = puts
    self.gets = gets
  }

  init?(argument: String) {
    let parts = argument.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
    guard parts.count == 2, parts.allSatisfy((0...1000).contains), parts != [0, 0] else { return nil }
    (puts, gets) = (parts[0], parts[1])
  }

  /// Whether the operation of that number, counted from 0, is a PUT. They are spread evenly.
  func isPut(_ number: Int) -> Bool {
    let inCycle = number % (puts + gets)
    return (inCycle + 1) * puts / (puts + gets) > inCycle * puts / (puts + gets)
  }

  var description: String { "\(puts)/\(gets)" }
}
