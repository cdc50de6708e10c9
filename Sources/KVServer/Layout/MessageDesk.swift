import KVCluster
import KVCore
import KVHTTP
import KVLinux
import KVStore

/// Answers what only nodes ask each other.
struct MessageDesk: Sendable {
  let layouts: Layouts
  let calls: RegisterCalls
  let writes: Writes
  let disk: IOExecutor
  let network: IOExecutor

  /// The answer to a message.
  func answer(_ message: [UInt8]) async throws(ExchangeError) -> [UInt8] {
    let question: NodeQuestion
    do throws(ByteReader.Malformed) { question = try NodeQuestion(message) } catch {
      throw .refused(Failure(.badRequest, "MESSAGE: it cannot be read: \(error)"))
    }
    guard let answer = await take(question) else {
      throw .refused(Failure(.unavailable, "MESSAGE: this node cannot vote now"))
    }
    return answer.bytes
  }

  /// The same for a question that can be read already: this node's own too.
  func take(_ question: NodeQuestion) async -> NodeAnswer? {
    switch question {
    case .hello(let hello):
      let remembered = layouts.take(hello)
      let own = layouts.hello
      let known = layouts.known
      let isBehind = hello.version < own.version && (hello.cluster == nil || hello.cluster == own.cluster)
      return .hello(own, isBehind ? known : nil, remembered)
    case .prepareLayout(let ballot):
      return await onDisk { layouts.prepare(ballot) }.map { .layout($0, layouts.hello.disk) }
    case .acceptLayout(let ballot, let layout):
      return await onDisk { layouts.accept(ballot, layout) }.map { .layout($0, layouts.hello.disk) }
    case .learnLayout(let layout):
      await onDisk { layouts.learn(layout) }
      return .noted
    case .register(let question):
      return await calls.takeFromOther(question)
    case .held(let question):
      return await held(question)
    case .write(let order):
      return await writes.take(order)
    case .digests(let question):
      return await answer(question) { () throws(StoreError) in
        .digests(try await calls.store.summary(of: Int(question.group)).digest)
      }
    case .states(let question, let slots, let behind):
      return await answer(question) { () throws(StoreError) in
        let (page, isLast) = try await calls.store.states(
          of: Int(question.group), in: slots, behind: behind, limit: NodeAnswer.heldMax)
        return .states(page, isLast: isLast)
      }
    case .look(let key):
      calls.missed.note(key)
      return .noted
    case .reads(let questions):
      return .reads(await calls.take(questions))
    }
  }

  /// What is to be said of a group, to somebody who goes by the same layout and means this disk.
  private func answer(
    _ question: GroupQuestion, _ look: @Sendable () async throws(StoreError) -> NodeAnswer
  ) async -> NodeAnswer? {
    guard layouts.epoch(of: Int(question.group)) == question.epoch, layouts.mayVote,
      layouts.current.value.topology.ownMember == question.member
    else {
      return .otherLayout(layouts.known?.version ?? 0)
    }
    do throws(StoreError) {
      return try await withTaskExecutorPreference(disk) { () async throws(StoreError) in try await look() }
    } catch {
      return nil
    }
  }

  private func held(_ question: HeldQuestion) async -> NodeAnswer? {
    let group = Int(question.group)
    // Whoever has another disk by now has nothing to say of what is on the one that is asked.
    guard let layout = layouts.known, layouts.epoch(of: group) == question.epoch, layouts.mayVote,
      layouts.current.value.topology.ownMember == question.source
    else {
      return .otherLayout(layouts.known?.version ?? 0)
    }
    do throws(StoreError) {
      let (page, isLast) = try await withTaskExecutorPreference(disk) { () async throws(StoreError) in
        try await calls.store.held(of: group, behind: question.behind, limit: NodeAnswer.heldMax) { slot in
          layout.view(of: slot).nextOwners?.contains(question.member) ?? false
        }
      }
      return .held(page, isLast: isLast)
    } catch {
      return nil
    }
  }

  /// Asks a node for its layout, where that is later than this one's.
  func catchUp(with name: String, _ cluster: Cluster) async {
    guard let peer = cluster.topology.peer(named: name) else { return }
    await exchange(with: peer, cluster)
  }

  /// What came of telling a node how this one does.
  enum Exchanged: Sendable {
    case heard
    /// It is of a version that knows no layout.
    case isOlder
    case silence
  }

  /// Tells a node how this one does and hears how it does.
  @discardableResult
  func exchange(with peer: Peer, _ cluster: Cluster) async -> Exchanged {
    switch await calls.peers.reply(to: .hello(layouts.hello), of: peer, cluster) {
    case .answer(.hello(let hello, let layout, let remembered)):
      _ = layouts.take(hello)
      if let layout { await onDisk { layouts.learn(layout) } }
      if let remembered { await onDisk { layouts.notePutBack(remembered) } }
      return .heard
    case .notUnderstood: return .isOlder
    case .answer, .silence: return .silence
    }
  }

  /// The same with all other nodes at once.
  @discardableResult
  func exchangeWithAll(_ cluster: Cluster) async -> [(name: String, Exchanged)] {
    await withTaskGroup(of: (String, Exchanged).self) { group in
      for peer in cluster.topology.otherPeers {
        group.addTask(executorPreference: network) { (peer.name, await exchange(with: peer, cluster)) }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
  }

  private func onDisk<Value: Sendable>(_ call: @Sendable () -> Value) async -> Value {
    await withTaskExecutorPreference(disk) { () async in call() }
  }
}
