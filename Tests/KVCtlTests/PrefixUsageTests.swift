import Testing

@testable import kvctl

@Suite struct PrefixUsageTests {
  private func lines(_ prefix: String, _ values: [(String, Int)], isForPeople: Bool = false) -> [String] {
    var usage = PrefixUsage(prefix: Array(prefix.utf8), isForPeople: isForPeople)
    var lines = values.compactMap { usage.add(ListedValue(key: Array($0.utf8), byteCount: $1)) }
    lines += [usage.endGroup()].compactMap(\.self) + [usage.total]
    return lines.map { String($0.drop { $0 == " " }) }
  }

  @Test func addsUpByTheNextSlash() {
    #expect(
      lines("", [("a", 1), ("b/x", 2), ("b/y/z", 3), ("c", 4), ("d/e", 5)])
        == ["5  2 values  b/\n", "5  1 value  d/\n", "15  5 values  all\n"])
    #expect(
      lines("b/", [("b/x", 2), ("b/y/z", 1024)], isForPeople: true) == [
        "1.0 KiB  1 value  b/y/\n", "1.0 KiB  2 values  b/\n",
      ])
    #expect(lines("b", []) == ["0  0 values  b\n"])
  }
}
