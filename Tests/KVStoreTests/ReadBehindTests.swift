import Testing

@testable import KVStore

@Suite struct ReadBehindTests {
  @Test func aValueThatFitsIntoMemoryStaysThere() {
    var readBehind = ReadBehind(offsets: 0..<1 << 30, memoryBytes: 4 << 30)
    #expect(readBehind.advanced(to: 1 << 30) == nil)
  }

  @Test func whatALargeValueNeedsNoMoreIsDroppedInStepsAndWithoutGaps() {
    let start = 1000
    var readBehind = ReadBehind(offsets: start..<2 << 30, memoryBytes: 4 << 30)
    let first = start + ReadBehind.lagBytes + ReadBehind.stepBytes
    #expect(readBehind.advanced(to: first - 1) == nil)
    #expect(readBehind.advanced(to: first) == start..<start + ReadBehind.stepBytes)
    #expect(readBehind.advanced(to: first + 1) == nil)
    let second = first + 2 * ReadBehind.stepBytes
    #expect(readBehind.advanced(to: second) == start + ReadBehind.stepBytes..<second - ReadBehind.lagBytes)
  }
}
