import Testing

@testable import KVWire

struct LagTests {
  private static let lagMax = Duration.seconds(2)

  /// How long the others waited for it alone, how long it all took, how many MiB it took, and whether that is too much.
  @Test(arguments: [
    (held: 1.9, elapsed: 2.0, mebibytes: 1, isTooMuch: false),
    (held: 2.1, elapsed: 2.2, mebibytes: 1, isTooMuch: true),
    // The client itself is slow, and so are all sinks together.
    (held: 2.1, elapsed: 60, mebibytes: 1, isTooMuch: false),
    (held: 29, elapsed: 60, mebibytes: 60, isTooMuch: false),
    (held: 31, elapsed: 60, mebibytes: 60, isTooMuch: true),
    // An old disk among new ones gets there.
    (held: 55, elapsed: 60, mebibytes: 479, isTooMuch: true),
    (held: 55, elapsed: 60, mebibytes: 480, isTooMuch: false),
  ])
  func oneThatKeepsTheOthersFromGettingAnywhereIsLeftOut(
    held: Double, elapsed: Double, mebibytes: Int, isTooMuch: Bool
  ) {
    var lag = Lag()
    lag.waited(.seconds(held) / 2)
    lag.waited(.seconds(held) / 2)
    #expect(lag.isTooMuch(of: mebibytes << 20, in: .seconds(elapsed), lagMax: Self.lagMax) == isTooMuch)
  }
}
