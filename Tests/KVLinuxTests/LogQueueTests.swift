import Synchronization
import Testing
import TestSupport

@testable import KVLinux

@Suite(.timeLimit(.minutes(10))) struct LogQueueTests {
  /// What was written, and a gate that a write may have to wait at.
  private final class Reader: Sendable {
    let lines = Mutex<[String]>([])
    let gate = Semaphore()

    func write(_ line: String, waits: Bool) {
      if waits { gate.wait() }
      lines.withLock { $0.append(line) }
    }
  }

  @Test func writesInOrder() throws {
    let reader = Reader()
    let queue = try LogQueue<String>(write: { reader.write($0, waits: false) }, told: { "dropped \($0)" })
    for number in 0..<500 { queue.push("\(number)") }
    queue.flush(within: .seconds(30))
    #expect(reader.lines.withLock { $0 } == (0..<500).map(String.init))
    #expect(queue.droppedCount == 0)
  }

  @Test func aReaderThatStandsStillHoldsNobodyUp() throws {
    let reader = Reader()
    let queue = try LogQueue<String>(write: { reader.write($0, waits: true) }, told: { "dropped \($0)" })
    // One is being written at most, and so many wait.
    for number in 0..<3000 { queue.push("\(number)") }
    let dropped = queue.droppedCount
    #expect((3000 - 1024 - 1...3000 - 1024).contains(dropped))
    for _ in 0..<4000 { reader.gate.signal() }
    queue.flush(within: .seconds(30))
    let lines = reader.lines.withLock { $0 }
    #expect(lines.filter { $0 == "dropped \(dropped)" }.count == 1)
    #expect(lines.count == 3000 - dropped + 1)
    #expect(queue.droppedCount == dropped)
  }

  @Test func theEndOfTheProcessWaitsForSoLongOnly() throws {
    let reader = Reader()
    let queue = try LogQueue<String>(write: { reader.write($0, waits: true) }, told: { "dropped \($0)" })
    queue.push("never read")
    queue.flush(within: .milliseconds(20))
    #expect(reader.lines.withLock { $0 } == [])
  }
}
