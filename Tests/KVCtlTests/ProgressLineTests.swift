import Testing

@testable import kvctl

@Suite struct ProgressLineTests {
  private func line(_ done: Int, of total: Int?, rate: Double? = nil, label: String = "GET backup/monday.tar")
    -> ProgressLine
  {
    ProgressLine(label: label, doneBytes: done, totalBytes: total, bytesPerSecond: rate)
  }

  @Test func showsHowFarHowFastAndHowLong() {
    let text = line(1 << 30, of: 4 << 30, rate: Double(128 << 20)).text(columns: 120)
    #expect(
      text
        == "GET backup/monday.tar  [==========                              ]  25 %  1.0 GiB of 4.0 GiB  128 MiB/s  0:24 left"
    )
  }

  @Test func showsNoBarWhereTheEndIsUnknown() {
    #expect(line(5 << 20, of: nil, rate: 1024).text(columns: 80) == "GET backup/monday.tar  5.0 MiB  1.0 KiB/s")
  }

  @Test(arguments: [(0, 0, "100 %"), (0, 10, "0 %"), (999, 1000, "99 %"), (1000, 1000, "100 %"), (2000, 1000, "100 %")])
  func neverSaysMoreThanIsTrue(done: Int, total: Int, expected: String) {
    #expect(line(done, of: total).text(columns: 100).contains(" \(expected)  "))
  }

  @Test func promisesNothingWhereNothingMoves() {
    #expect(!line(1, of: 10, rate: 0).text(columns: 120).contains("left"))
    #expect(!line(10, of: 10, rate: 5).text(columns: 120).contains("left"))
  }

  @Test(arguments: 1...200)
  func fitsTheTerminal(columns: Int) {
    for line in [line(1 << 30, of: 4 << 30, rate: 1e8), line(1 << 30, of: nil, rate: 1e8), line(0, of: 0)] {
      #expect(line.text(columns: columns).count <= max(columns - 1, 1))
    }
  }
}
