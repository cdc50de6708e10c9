import KVCluster
import KVCore
import KVLinux
import Synchronization

/// Puts together what is asked of the same owner at the same time: a message costs more than many questions in it.
///
/// Nobody waits for company: a question goes at once where less than two messages are under way to the owner, and else with
/// all others that came meanwhile. A message that takes its time no longer counts: the file that it waits for must not keep
/// the others waiting.
final class ReadBatches: Sendable {
  typealias Listener = @Sendable (ReadAnswer?) -> Void

  /// How many messages may be under way to one owner that have not been so for long, and how many in all.
  private static let promptMax = 2
  private static let underWayMax = 16
  /// How many questions to one owner may wait. Whoever comes on top of them asks the other owners at once.
  static let waitingMax = 512

  private struct Line {
    /// In the order they came in.
    var waiting: [ReadQuestion] = []
    /// Those who want to know the same are told together.
    var listeners: [ReadQuestion: [Listener]] = [:]
    var listenerCount = 0
    /// Since when each message has been under way.
    var begun: [Int: Instant] = [:]
    private var lastNumber = 0

    /// The number of a further message, where one may begin.
    mutating func begin(_ now: Instant, patience: Duration) -> Int? {
      guard begun.count < underWayMax, begun.values.count(where: { now.since($0) < patience }) < promptMax else {
        return nil
      }
      lastNumber += 1
      begun[lastNumber] = now
      return lastNumber
    }

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
  /// How long a message may be under way and count.
  private let patience: Duration
  private let lines = Mutex<[Member: Line]>([:])

  init(errands: Errands, patience: Duration = .milliseconds(20)) {
    self.errands = errands
    self.patience = patience
  }

  /// Asks the owner, with `ask`; the listener is told once, nil where there is no answer.
  func ask(
    _ question: ReadQuestion, of member: Member,
    by ask: @escaping @Sendable ([ReadQuestion]) async -> [ReadAnswer?], _ listener: @escaping Listener
  ) {
    let (isTaken, begun) = lines.withLock { lines -> (Bool, Int?) in
      guard lines[member, default: Line()].listenerCount < Self.waitingMax else { return (false, nil) }
      lines[member, default: Line()].add(question, listener)
      return (true, lines[member]?.begin(.now, patience: patience))
    }
    guard isTaken else { return listener(nil) }
    guard let number = begun else { return }
    let isStarted = errands.take(about: member) {
      while let batch = self.next(of: member, as: number) {
        let answers = await ask(batch.map(\.question))
        for (each, answer) in zip(batch, answers) { for listener in each.listeners { listener(answer) } }
      }
    }
    // Too much is under way to the owner, or the node stops.
    if !isStarted {
      while let batch = next(of: member, as: number) {
        for each in batch { for listener in each.listeners { listener(nil) } }
      }
    }
  }

  /// What goes next, as the message of that number; nil at the end of the line.
  private func next(of member: Member, as number: Int) -> [(question: ReadQuestion, listeners: [Listener])]? {
    lines.withLock { lines in
      guard let batch = lines[member]?.take(), !batch.isEmpty else {
        lines[member]?.begun[number] = nil
        if lines[member]?.begun.isEmpty == true { lines[member] = nil }
        return nil
      }
      lines[member]?.begun[number] = .now
      return batch
    }
  }
}
