import KVLinux
import Testing

@testable import kvctl

@Suite struct TreePathTests {
  private func parse(_ key: String) -> Result<TreePath, Refusal> { TreePath.parse(Array(key.utf8)[...]) }

  @Test(arguments: ["a", "a/b", ".a/..b/c..", "a b/é", "..."])
  func keepsKeysThatAreFileNames(key: String) throws {
    let path = try parse(key).get()
    #expect(path.key == Array(key.utf8))
    #expect(path.names.count == key.split(separator: "/").count)
  }

  @Test(arguments: [
    "", "/", "/etc/passwd", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..", "a\0b",
    String(repeating: "x", count: 256), ".kvctl-part-x", "a/.kvctl-part-x/b",
  ])
  func refusesWhatNoFileCanBe(key: String) {
    #expect(throws: Refusal.self) { try parse(key).get() }
  }

  @Test func namesPartialFilesShortly() throws {
    let longest = try #require(FileName([UInt8](repeating: 0xFF, count: 255)))
    let other = try #require(FileName([UInt8](repeating: 0xFE, count: 255)))
    let partial = try #require(TreePath.partial(of: longest))
    #expect(TreePath.isPartial(partial))
    #expect(partial != TreePath.partial(of: other))
  }

  @Test(arguments: [
    (["a", "a!", "a/b", "a/c", "ab"], ["a/b": "a", "a/c": "a"]), (["a/b", "a/b/c", "a/bc"], ["a/b/c": "a/b"]),
    (["a", "b/a", "b/a0/c"], [:]),
  ])
  func findsKeysInTheWay(keys: [String], expected: [String: String]) {
    var nesting = KeyNesting()
    for key in keys {
      let obstacle = nesting.obstacle(to: Array(key.utf8)).map { String(decoding: $0, as: UTF8.self) }
      #expect(obstacle == expected[key])
    }
  }

  @Test(arguments: [("", ""), ("a", "a/"), ("a/", "a/"), ("a/b", "a/b/")])
  func takesPrefixesForDirectories(prefix: String, expected: String) {
    #expect(TreePrefix.bytes(Array(prefix.utf8)) == Array(expected.utf8))
  }
}

@Suite struct ManyReportTests {
  private func counts(_ outcomes: [ManyReport.Outcome: Int], bytes: Int = 0) -> ManyReport.Counts {
    var counts = ManyReport.Counts()
    counts.outcomes = outcomes
    counts.bytes = bytes
    return counts
  }

  @Test func sumsUp() {
    var some = counts([.stored: 1, .unchanged: 2, .removed: 1], bytes: 1536)
    some.failed = 3
    some.leftOut = 1
    #expect(
      ManyReport.summary(some)
        == "1 value stored (1.5 KiB), 1 file removed, 2 values unchanged, 1 left out, 3 failed\n")
    #expect(ManyReport.summary(counts([:])) == "nothing to do\n")
    #expect(ManyReport.summary(counts([.stored: 2]), isDryRun: true) == "without --dry-run: 2 values stored\n")
  }

  @Test func hasOneStatus() {
    var failed = ManyReport.Counts()
    #expect(ManyReport.status(failed) == nil)
    failed.statuses = [.unreachable]
    #expect(ManyReport.status(failed) == .unreachable)
    failed.statuses = [.unreachable, .checksumMismatch]
    #expect(ManyReport.status(failed) == .failure)
  }
}
