import KVCore
import Synchronization

/// Has those who want something of the same key take turns, across waits for the disk and for other nodes. Those who only
/// look have a turn together.
package final class KeyTurns: Sendable {
  /// How many may wait for one key.
  static let waitingMax = 256

  private struct Turn {
    /// How many look; none while somebody does something.
    var readerCount = 0
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  /// The keys that somebody is at.
  private let turns = Mutex<[Key: Turn]>([:])

  package init() {}

  /// Runs the body when it is its turn; nil where too many are waiting.
  package func withTurn<Result: Sendable>(of key: Key, _ body: () async -> Result) async -> Result? {
    guard await take(key) else { return nil }
    defer { pass(key) }
    return await body()
  }

  /// Runs the body, which only looks, at once; nil where somebody is at the key who may do more, or waits for that.
  package func withLook<Result: Sendable>(at key: Key, _ body: () async -> Result) async -> Result? {
    let mayLook = turns.withLock { turns in
      guard let turn = turns[key] else {
        turns[key] = Turn(readerCount: 1)
        return true
      }
      guard turn.readerCount > 0, turn.waiting.isEmpty else { return false }
      turns[key]?.readerCount += 1
      return true
    }
    guard mayLook else { return nil }
    defer { pass(key) }
    return await body()
  }

  private func take(_ key: Key) async -> Bool {
    let isMine = turns.withLock { turns -> Bool? in
      guard let turn = turns[key] else {
        turns[key] = Turn()
        return true
      }
      return turn.waiting.count < Self.waitingMax ? nil : false
    }
    if let isMine { return isMine }
    await withCheckedContinuation { continuation in
      // Whoever was at the key may be through by now.
      let isFree = turns.withLock { turns in
        guard turns[key] != nil else {
          turns[key] = Turn()
          return true
        }
        turns[key]?.waiting.append(continuation)
        return false
      }
      if isFree { continuation.resume() }
    }
    return true
  }

  /// The end of a turn, or of one of those who look.
  private func pass(_ key: Key) {
    let next = turns.withLock { turns -> CheckedContinuation<Void, Never>? in
      guard var turn = turns[key] else { return nil }
      turn.readerCount = max(0, turn.readerCount - 1)
      let isOver = turn.readerCount == 0
      let next = isOver && !turn.waiting.isEmpty ? turn.waiting.removeFirst() : nil
      turns[key] = isOver && next == nil ? nil : turn
      return next
    }
    next?.resume()
  }
}
