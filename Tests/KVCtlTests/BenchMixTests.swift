import Testing

@testable import kvctl

@Suite struct BenchMixTests {
  @Test(arguments: [("1/1", 1, 1), ("0/1", 0, 1), ("70/30", 70, 30), ("1000/0", 1000, 0)])
  func readsARatio(text: String, puts: Int, gets: Int) {
    #expect(BenchMix(argument: text) == BenchMix(puts: puts, gets: gets))
  }

  @Test(arguments: ["", "1", "1/", "/1", "0/0", "-1/1", "1/1/1", "a/b", "1001/1", "1 / 1"])
  func refusesAnythingElse(text: String) { #expect(BenchMix(argument: text) == nil) }

  @Test(arguments: [(1, 1), (1, 3), (3, 1), (70, 30), (1, 0), (0, 1), (7, 5)])
  func keepsTheRatio(puts: Int, gets: Int) {
    let mix = BenchMix(puts: puts, gets: gets)
    let cycles = 10
    #expect((0..<cycles * (puts + gets)).count(where: mix.isPut) == cycles * puts)
  }
}
