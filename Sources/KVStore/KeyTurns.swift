import KVCore
import Synchronization

/// Has those who want something of the same key take turns, across waits for the disk and for other nodes.
package final class KeyTurns: Sendable {
  /// How many may wait for one key.
  static let waitingMax = 256

  /// Those who wait, for each key that somebody is at.
  private let waiting = Mutex<[Key: [CheckedContinuation<Void, Never>]]>([:])

  package init() {}

  /// Runs the body when it is its turn; nil where too many are waiting.
  package func withTurn<Result: Sendable>(of key: Key, _ body: () async -> Result) async -> Result? {
    guard await take(key) else { return nil }
    defer { pass(key) }
    return await body()
  }

  private func take(_ key: Key) async -> Bool {
    let isMine = waiting.withLock { waiting -> Bool? in
      guard let others = waiting[key] else {
        waiting[key] = []
        return true
      }
      return others.count < Self.waitingMax ? nil : false
    }
    if let isMine { return isMine }
    await withCheckedContinuation { continuation in
      // Whoever was at the key may be through by now.
      let isFree = waiting.withLock { waiting in
        guard waiting[key] != nil else {
          waiting[key] = []
          return true
        }
        waiting[key]?.append(continuation)
        return false
      }
      if isFree { continuation.resume() }
    }
    return true
  }

  private func pass(_ key: Key) {
    let next = waiting.withLock { waiting -> CheckedContinuation<Void, Never>? in
      guard let others = waiting[key], !others.isEmpty else {
        waiting[key] = nil
        return nil
      }
      return waiting[key]?.removeFirst()
    }
    next?.resume()
  }
}
