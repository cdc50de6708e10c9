import KVCluster
import KVCore
import KVLinux
import Synchronization
import TestSupport
import Testing

@testable import KVServer

/// Questions to the same owner go together, and each is answered once.
@Suite struct ReadBatchesTests {
  private let member = Member(2)
  private let errands = Errands()
  private let batches: ReadBatches

  init() { batches = ReadBatches(errands: errands) }

  private func question(_ name: String) throws -> ReadQuestion { ReadQuestion(epoch: 1, key: try Key(text: name)) }

  /// Asks all questions while two messages are under way, and returns what was sent, in order, and what was told of each.
  private func run(
    _ names: [String], answer: @escaping @Sendable ([ReadQuestion]) -> [ReadAnswer?]
  ) async throws -> (sent: [[ReadQuestion]], told: [ReadAnswer?]) {
    let sent = Mutex<[[ReadQuestion]]>([])
    let (opened, gate) = AsyncStream.makeStream(of: Void.self)
    let (told, teller) = AsyncStream.makeStream(of: (Int, ReadAnswer?).self)
    let isOpen = Mutex(false)
    let ask: @Sendable ([ReadQuestion]) async -> [ReadAnswer?] = { questions in
      sent.withLock { $0.append(questions) }
      if !isOpen.withLock({ $0 }) { for await _ in opened {} }
      return answer(questions)
    }
    let work = Task { await errands.run(on: Wire.executor) }
    for (index, name) in names.enumerated() {
      batches.ask(try question(name), of: member, by: ask) { teller.yield((index, $0)) }
    }
    isOpen.withLock { $0 = true }
    gate.finish()
    var answers = [ReadAnswer?](repeating: nil, count: names.count)
    var count = 0
    for await (index, answer) in told {
      answers[index] = answer
      count += 1
      if count == names.count { break }
    }
    work.cancel()
    return (sent.withLock { $0 }, answers)
  }

  @Test func whatComesMeanwhileGoesTogetherAndTheSameOnlyOnce() async throws {
    let names = (0..<100).map { "key\($0 % 50)" }
    let (sent, told) = try await run(names) { $0.map { .otherLayout(UInt64($0.key.slot.group)) } }
    let groups = try names.map { ReadAnswer.otherLayout(UInt64(try Key(text: $0).slot.group)) }
    #expect(told == groups)
    #expect(sent.count <= 4)
    #expect(sent.allSatisfy { Set($0).count == $0.count && $0.count <= ReadQuestion.countMax })
  }

  @Test func allAreToldWhereThereIsNoAnswer() async throws {
    let (_, told) = try await run((0..<10).map { "key\($0)" }) { $0.map { _ in nil } }
    #expect(told == Array(repeating: nil, count: 10))
  }

  /// An answer to what was asked before says nothing of what has happened since.
  @Test func whatIsUnderWayIsAskedAgain() async throws {
    let told = try await withMessages(errands, batches) { sent, ask in
      var sent = sent.makeAsyncIterator()
      var messages: [[ReadQuestion]] = []
      for _ in 0..<2 {
        ask("hung1")
        if let message = await sent.next() { messages.append(message) }
      }
      #expect(messages.map(\.count) == [1, 1])
    }
    #expect(told == ["hung1", "hung1"])
  }

  @Test func messagesThatHangHoldUpNoOther() async throws {
    let told = try await withMessages(errands, ReadBatches(errands: errands, patience: .zero)) { sent, ask in
      var sent = sent.makeAsyncIterator()
      for name in ["hung1", "hung2", "hung3", "key"] {
        ask(name)
        _ = await sent.next()
      }
    }
    #expect(told.sorted() == ["hung1", "hung2", "hung3", "key"])
  }

  /// Runs a body that is told of each message as it is sent, and asks by name. Messages wait until it ends; returns of whom
  /// the listeners were told.
  private func withMessages(
    _ errands: Errands, _ batches: ReadBatches,
    _ body: (AsyncStream<[ReadQuestion]>, (String) -> Void) async throws -> Void
  ) async throws -> [String] {
    let (sent, sender) = AsyncStream.makeStream(of: [ReadQuestion].self)
    let (opened, gate) = AsyncStream.makeStream(of: Void.self)
    let (told, teller) = AsyncStream.makeStream(of: String.self)
    let member = member
    var askedCount = 0
    let work = Task { await errands.run(on: Wire.executor) }
    try await body(sent) { name in
      guard let question = try? question(name) else { return }
      askedCount += 1
      batches.ask(
        question, of: member,
        by: { questions in
          sender.yield(questions)
          for await _ in opened {}
          return questions.map { _ in nil }
        }, { _ in teller.yield(name) })
    }
    gate.finish()
    var names: [String] = []
    for await name in told {
      names.append(name)
      if names.count == askedCount { break }
    }
    work.cancel()
    return names
  }

  @Test func noMoreWaitThanTheLimit() throws {
    let refused = Mutex(0)
    for index in 0..<5000 {
      batches.ask(try question("key\(index)"), of: member, by: { $0.map { _ in nil } }) { answer in
        if answer == nil { refused.withLock { $0 += 1 } }
      }
    }
    #expect(refused.withLock { $0 } == 5000 - ReadBatches.waitingMax)
  }
}
