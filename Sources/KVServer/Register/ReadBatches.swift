import KVCluster
import KVCore
import Synchronization

/// Puts together what is asked of the same owner at the same time: a message costs more than many questions in it.
///
/// Nobody waits for company: a question goes at once where less than `underWayMax` messages are under way to the owner, and
/// else with all others that came meanwhile.
final class ReadBatches: Sendable {
  typealias Listener = @Sendable (ReadAnswer?) -> Void

  /// How many messages are under way to one owner: one that waits for a disk must not keep all others waiting.
  private static let underWayMax = 2
  /// How many questions to one owner may wait.
  static let waitingMax = 4096

  private struct Line {
    /// In the order they came in.
    var waiting: [ReadQuestion] = []
    /// Those who want to know the same are told together.
    var listeners: [ReadQuestion: [Listener]] = [:]
    var listenerCount = 0
    var underWayCount = 0

    mutating func add(_ question: ReadQuestion, _ listener: @escaping Listener) {
      if listeners[question] == nil { waiting.append(question) }
      listeners[question, default: []].append(listener)
      listenerCount += 1
    }

    /// What goes next.
    mutating func take() -> [(question: ReadQuestion, listeners: [Listener])] {
      let questions = waiting.prefix(ReadQuestion.countMax)
      waiting.removeFirst(questions.count)
      return questions.map { question in
        let told = listeners.removeValue(forKey: question) ?? []
        listenerCount -= told.count
        return (question, told)
      }
    }
  }

  private let errands: Errands
  private let lines = Mutex<[Member: Line]>([:])

  init(errands: Errands) { self.errands = errands }

  /// Asks the owner, with `ask`; the listener is told once, nil where there is no answer.
  func ask(
    _ question: ReadQuestion, of member: Member,
    by ask: @escaping @Sendable ([ReadQuestion]) async -> [ReadAnswer?], _ listener: @escaping Listener
  ) {
    let (isTaken, isToStart) = lines.withLock { lines in
      var line = lines[member] ?? Line()
      guard line.listenerCount < Self.waitingMax else { return (false, false) }
      line.add(question, listener)
      let isToStart = line.underWayCount < Self.underWayMax
      if isToStart { line.underWayCount += 1 }
      lines[member] = line
      return (true, isToStart)
    }
    guard isTaken else { return listener(nil) }
    guard isToStart else { return }
    let isStarted = errands.take(about: member) {
      while let batch = self.next(of: member) {
        let answers = await ask(batch.map(\.question))
        for (each, answer) in zip(batch, answers) { for listener in each.listeners { listener(answer) } }
      }
    }
    // Too much is under way to the owner, or the node stops.
    if !isStarted {
      while let batch = next(of: member) { for each in batch { for listener in each.listeners { listener(nil) } } }
    }
  }

  /// What goes next; nil at the end of the line.
  private func next(of member: Member) -> [(question: ReadQuestion, listeners: [Listener])]? {
    lines.withLock { lines in
      guard var line = lines[member] else { return nil }
      let batch = line.take()
      if batch.isEmpty { line.underWayCount -= 1 }
      lines[member] = line.underWayCount == 0 && line.waiting.isEmpty ? nil : line
      return batch.isEmpty ? nil : batch
    }
  }
}
