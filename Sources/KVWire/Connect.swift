import KVCore
import KVLinux

extension Stream {
  /// How long an address may be silent before the next one is tried beside it: the Connection Attempt Delay of
  /// RFC 8305 section 5.
  private static let attemptDelay = Duration.milliseconds(250)
  /// The most addresses that are tried.
  private static let addressesMax = 16

  private enum Attempt: Sendable {
    case connected(Handoff<Stream>)
    case failed(StreamError)
    /// The address with that number has been silent for a while.
    case isLate(Int)
  }

  /// Connects to the first of the addresses that answers, all of them within the time given (RFC 8305 section 5).
  package static func connect(
    to addresses: [SocketAddress], within timeout: Duration, idleTimeout: Duration
  ) async throws(StreamError) -> Stream {
    let deadline = Instant.after(timeout)
    let executor = IOExecutor.current
    let addresses = addresses.prefix(addressesMax)
    guard addresses.count > 1, let first = addresses.first else {
      guard let only = addresses.first else { throw .timedOut }
      return try await connect(to: only, until: deadline, idleTimeout: idleTimeout)
    }
    let outcome = await withTaskGroup(of: Attempt.self) { group -> Result<Handoff<Stream>, StreamError> in
      var rest = addresses.dropFirst()
      var underWay = 1
      var failure = StreamError.timedOut
      func begin(_ address: SocketAddress, _ number: Int, in group: inout TaskGroup<Attempt>) {
        group.addTask(executorPreference: executor) {
          await attempt(address, until: deadline, idleTimeout: idleTimeout)
        }
        group.addTask(executorPreference: executor) {
          _ = await executor.wait(until: .after(attemptDelay))
          return .isLate(number)
        }
      }
      begin(first, rest.count, in: &group)
      for await event in group {
        switch event {
        case .connected(let stream):
          group.cancelAll()
          return .success(stream)
        case .failed(let error):
          underWay -= 1
          failure = error
        case .isLate(let number):
          // Of an address that has failed, or is not the last one tried, the next has been tried already.
          guard number == rest.count else { continue }
        }
        if let next = rest.popFirst() {
          underWay += 1
          begin(next, rest.count, in: &group)
        } else if underWay == 0 {
          group.cancelAll()
          return .failure(failure)
        }
      }
      return .failure(failure)
    }
    return try outcome.get().take()
  }

  private static func attempt(
    _ address: SocketAddress, until deadline: Instant, idleTimeout: Duration
  ) async -> Attempt {
    do throws(StreamError) {
      return .connected(Handoff(try await connect(to: address, until: deadline, idleTimeout: idleTimeout)))
    } catch {
      return .failed(error)
    }
  }

  private static func connect(
    to address: SocketAddress, until deadline: Instant, idleTimeout: Duration
  ) async throws(StreamError) -> Stream {
    let socket = try translatingError(StreamError.failed) { () throws(SystemError) in
      try Socket.connecting(to: address)
    }
    try await IOExecutor.current.wait(for: .writable(socket.descriptor), until: deadline).check()
    let error = try translatingError(StreamError.failed) { () throws(SystemError) in try socket.connectionError() }
    if let error { throw .failed(error) }
    return Stream(socket, idleTimeout: idleTimeout)
  }
}
