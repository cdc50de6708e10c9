import KVCore
import KVLinux
import Synchronization
import Testing

@testable import KVServer

/// A resolver that the test holds up and lets go.
private final class ScriptedResolver: Sendable {
  private let answers: Mutex<[Result<[SocketAddress], ResolveError>]>
  private let counted = Mutex(0)
  private let gate = Semaphore()

  init(_ answers: [Result<[SocketAddress], ResolveError>]) { self.answers = Mutex(answers) }

  var lookUpCount: Int { counted.withLock { $0 } }

  func release() { gate.signal() }

  func lookUp(_ host: String, _ port: UInt16) throws(ResolveError) -> [SocketAddress] {
    counted.withLock { $0 += 1 }
    gate.wait()
    return try answers.withLock { $0.isEmpty ? .success([]) : $0.removeFirst() }.get()
  }
}

@Suite struct PeerNamesTests {
  private static let address = PeerAddress(host: .name("node2.example"), port: 7776)
  private static let found = SocketAddress(.v4(0xC000_0202), port: 7776)
  private static let unknown = ResolveError(host: "node2.example", reason: "unknown")

  /// Asks, on threads that can wait, and returns the addresses or the error in words.
  private static func ask(_ names: PeerNames, on executor: IOExecutor, within timeout: Duration) async -> String {
    await withTaskExecutorPreference(executor) {
      do throws(ResolveError) {
        return "\(try await names.addresses(of: "node2.example", address, within: timeout))"
      } catch {
        return "\(error)"
      }
    }
  }

  private let executor: IOExecutor
  private let threads: IOExecutor

  init() throws {
    executor = try IOExecutor(name: "test", threadCount: 2)
    threads = try IOExecutor(name: "names", threadCount: 1)
  }

  @Test func aNameIsLookedUpOnceForAllWhoWaitAndThenKnown() async {
    let resolver = ScriptedResolver([.success([Self.found])])
    let names = PeerNames(threads: threads, freshness: .seconds(3600), lookUp: resolver.lookUp)
    await withTaskGroup(of: String.self) { group in
      for _ in 0..<10 { group.addTask { await Self.ask(names, on: executor, within: .seconds(60)) } }
      resolver.release()
      for await answer in group { #expect(answer == "[192.0.2.2:7776]") }
    }
    #expect(await Self.ask(names, on: executor, within: .zero) == "[192.0.2.2:7776]")
    #expect(resolver.lookUpCount == 1)
  }

  @Test func aNameThatStandsForNothingIsAnErrorAndLookedUpAgain() async {
    let resolver = ScriptedResolver([.failure(Self.unknown), .success([Self.found])])
    let names = PeerNames(threads: threads, freshness: .seconds(3600), lookUp: resolver.lookUp)
    resolver.release()
    #expect(await Self.ask(names, on: executor, within: .seconds(60)) == "cannot resolve 'node2.example': unknown")
    resolver.release()
    #expect(await Self.ask(names, on: executor, within: .seconds(60)) == "[192.0.2.2:7776]")
  }

  @Test func nobodyWaitsLongerThanHeWouldAndTheAnswerIsKeptForTheNext() async {
    let resolver = ScriptedResolver([.success([Self.found])])
    let names = PeerNames(threads: threads, freshness: .seconds(3600), lookUp: resolver.lookUp)
    #expect(
      await Self.ask(names, on: executor, within: .milliseconds(1))
        == "cannot resolve 'node2.example': no answer within 0.001 seconds (ConnectTimeout=)")
    resolver.release()
    #expect(await Self.ask(names, on: executor, within: .seconds(60)) == "[192.0.2.2:7776]")
    #expect(resolver.lookUpCount == 1)
  }

  @Test func whatIsOldIsUsedWhileTheNameIsLookedUpAnewAndKeptWhereThatFails() async {
    let resolver = ScriptedResolver([.success([Self.found]), .failure(Self.unknown)])
    let names = PeerNames(threads: threads, freshness: .zero, lookUp: resolver.lookUp)
    resolver.release()
    #expect(await Self.ask(names, on: executor, within: .seconds(60)) == "[192.0.2.2:7776]")
    for _ in 0..<3 { #expect(await Self.ask(names, on: executor, within: .zero) == "[192.0.2.2:7776]") }
    resolver.release()
    for _ in 0..<3 { #expect(await Self.ask(names, on: executor, within: .zero) == "[192.0.2.2:7776]") }
    // The last look-up, if there is one, must not wait for ever.
    for _ in 0..<8 { resolver.release() }
  }

  @Test func aChangedPeerListForgetsWhatWasKnown() async {
    let resolver = ScriptedResolver([.success([Self.found]), .failure(Self.unknown)])
    let names = PeerNames(threads: threads, freshness: .seconds(3600), lookUp: resolver.lookUp)
    resolver.release()
    #expect(await Self.ask(names, on: executor, within: .seconds(60)) == "[192.0.2.2:7776]")
    names.clear()
    resolver.release()
    #expect(await Self.ask(names, on: executor, within: .seconds(60)) == "cannot resolve 'node2.example': unknown")
  }
}
