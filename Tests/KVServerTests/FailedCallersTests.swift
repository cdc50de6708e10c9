import KVCore
import Testing

@testable import KVServer

struct FailedCallersTests {
  private static let start = Instant(nanoseconds: 0)

  private static func after(_ seconds: Int) -> Instant { start.advanced(by: .seconds(seconds)) }

  @Test func eachMistakePastTheFirstFewCostsTwiceAsMuchUpToALimit() {
    var callers = FailedCallers()
    let pauses = (0..<20).map { _ in callers.failed(.v4(1), at: Self.start) }
    #expect(pauses.prefix(3) == [.zero, .zero, .zero])
    #expect(pauses[3..<9] == [100, 200, 400, 800, 1600, 3200].map { Duration.milliseconds($0) }[...])
    #expect(pauses[9...].allSatisfy { $0 == FailedCallers.pauseMax })
  }

  @Test func aQuietMinuteForgetsAll() {
    var callers = FailedCallers()
    for _ in 0..<10 { _ = callers.failed(.v4(1), at: Self.start) }
    #expect(callers.failed(.v4(1), at: Self.after(59)) == FailedCallers.pauseMax)
    #expect(callers.failed(.v4(1), at: Self.after(59 + 60)) == .zero)
  }

  @Test func oneAddressDoesNotPayForAnotherButForItsNetworkUnderIPv6() {
    var callers = FailedCallers()
    for _ in 0..<10 { _ = callers.failed(.v4(1), at: Self.start) }
    #expect(callers.failed(.v4(2), at: Self.start) == .zero)
    let network = UInt128(0x2001_0db8) << 96
    for host in 0..<10 { _ = callers.failed(.v6(network | UInt128(host)), at: Self.start) }
    #expect(callers.failed(.v6(network | 99), at: Self.start) == FailedCallers.pauseMax)
    #expect(callers.failed(.v6(network | UInt128(1) << 64), at: Self.start) == .zero)
  }

  @Test func whoHasBeenQuietLongestMakesRoom() {
    var callers = FailedCallers()
    for _ in 0..<4 { _ = callers.failed(.v4(0), at: Self.start) }
    for _ in 0..<4 { _ = callers.failed(.v4(1), at: Self.after(1)) }
    for address in 2..<UInt32(FailedCallers.addressesMax + 1) { _ = callers.failed(.v4(address), at: Self.after(2)) }
    #expect(callers.failed(.v4(1), at: Self.after(3)) == .milliseconds(200))
    #expect(callers.failed(.v4(0), at: Self.after(3)) == .zero)
  }
}
