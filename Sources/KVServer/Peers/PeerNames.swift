import KVCore
import KVLinux
import Synchronization

/// The addresses of nodes that are configured by name.
///
/// A look-up blocks for as long as the resolver likes. So look-ups have threads of their own, there is one a name at a
/// time, and nobody waits for one longer than for a connection. What was found last is used while a name is looked up
/// anew, and kept where that fails: a name server that is down takes no node out of the cluster.
final class PeerNames: Sendable {
  /// What finds the addresses of a host name, and may block.
  typealias LookUp = @Sendable (_ host: String, _ port: UInt16) throws(ResolveError) -> [SocketAddress]

  private typealias Sleep = Task<IOExecutor.Wakeup, Never>

  private struct Entry {
    var addresses: [SocketAddress] = []
    /// Why the last look-up found nothing, if it did not.
    var error: ResolveError?
    /// When the last look-up ended.
    var lookedUpAt: Instant?
    var isLookingUp = false
    /// Those who wait for the look-up, asleep until their deadlines.
    var sleeps: [Sleep] = []
  }

  private let threads: IOExecutor
  private let freshness: Duration
  private let lookUp: LookUp
  private let entries = Mutex<[PeerAddress: Entry]>([:])

  /// Looks names up on those threads, and anew once what was found is older than `freshness`.
  init(
    threads: IOExecutor, freshness: Duration = .seconds(10), lookUp: @escaping LookUp = SocketAddress.resolve
  ) {
    self.threads = threads
    self.freshness = freshness
    self.lookUp = lookUp
  }

  /// The addresses of a host name, within the time given.
  func addresses(
    of host: String, _ address: PeerAddress, within timeout: Duration
  ) async throws(ResolveError) -> [SocketAddress] {
    let known = begin(host, address)
    if !known.isEmpty { return known }
    await awaitLookUp(of: address, until: .after(timeout))
    return try entries.withLock { entries throws(ResolveError) in
      guard let entry = entries[address], !entry.addresses.isEmpty else {
        let late = ResolveError(host: host, reason: "no answer within \(timeout) (ConnectTimeout=)")
        throw entries[address]?.error ?? late
      }
      return entry.addresses
    }
  }

  /// Forgets everything, because the peer list has changed.
  func clear() {
    entries.withLock { entries in
      // A look-up that is under way still finds its entry, and those who wait for it.
      for address in entries.keys where entries[address]?.isLookingUp == false { entries[address] = nil }
    }
  }

  /// What is known of a name; begins a look-up where that is nothing, or old.
  private func begin(_ host: String, _ address: PeerAddress) -> [SocketAddress] {
    let (known, begins) = entries.withLock { entries in
      var entry = entries[address, default: Entry()]
      let isFresh =
        !entry.addresses.isEmpty && (entry.lookedUpAt.map { Instant.now.since($0) < freshness } ?? false)
      let begins = !isFresh && !entry.isLookingUp
      if begins {
        entry.isLookingUp = true
        entry.error = nil
      }
      entries[address] = entry
      return (entry.addresses, begins)
    }
    if begins { Task(executorPreference: threads) { self.finish(address, self.result(host, address.port)) } }
    return known
  }

  private func result(_ host: String, _ port: UInt16) -> Result<[SocketAddress], ResolveError> {
    do throws(ResolveError) { return .success(try lookUp(host, port)) } catch { return .failure(error) }
  }

  private func finish(_ address: PeerAddress, _ result: Result<[SocketAddress], ResolveError>) {
    let sleeps = entries.withLock { entries -> [Sleep] in
      guard var entry = entries[address] else { return [] }
      let sleeps = entry.sleeps
      switch result {
      case .success(let addresses): entry.addresses = addresses
      case .failure(let error): entry.error = error
      }
      entry.isLookingUp = false
      entry.lookedUpAt = .now
      entry.sleeps = []
      entries[address] = entry
      return sleeps
    }
    for sleep in sleeps { sleep.cancel() }
  }

  /// Returns when the look-up has ended, or at the deadline.
  private func awaitLookUp(of address: PeerAddress, until deadline: Instant) async {
    let sleep = Sleep(executorPreference: IOExecutor.current) { await IOExecutor.current.wait(until: deadline) }
    let isUnderWay = entries.withLock { entries in
      guard entries[address]?.isLookingUp == true else { return false }
      entries[address]?.sleeps.append(sleep)
      return true
    }
    if !isUnderWay { sleep.cancel() }
    _ = await withTaskCancellationHandler {
      await sleep.value
    } onCancel: {
      sleep.cancel()
    }
  }
}
