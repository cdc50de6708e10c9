import KVCluster
import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVStore
import KVWire

/// Asks the owners of a key for their votes, this node's own disk among them.
struct RegisterCalls: Sendable {
  /// What came of asking one owner.
  enum Reply: Sendable {
    case answer(RegisterAnswer, member: Member)
    /// It goes by a later layout.
    case otherLayout
    /// It gives no vote: its disk is none of the layout's, or may have gone back, or it has not come as far yet.
    case aside
    /// It cannot be reached, or gave no answer in time.
    case silence
  }

  let layouts: Layouts
  let registers: Registers
  let store: Store
  let peers: Peers
  let disk: IOExecutor
  /// What repair looks at.
  let missed: MissedKeys

  /// Asks one owner. `source` has the bytes that the request is about, if they do not come along.
  func ask(
    _ request: RegisterRequest, _ key: Key, of member: Member, _ layout: Layout, source: Member?,
    content: SmallContent? = nil
  ) async -> Reply {
    let cluster = layouts.current.value
    let question = RegisterQuestion(
      version: layout.version, epoch: layout.groups[key.slot.group].epoch, key: key, request: request, source: source,
      content: content)
    let answer: NodeAnswer?
    if member == cluster.topology.ownMember {
      answer = await take(question)
    } else if let peer = cluster.topology.peer(of: member) {
      answer = await peers.ask(.register(question), of: peer, cluster)
    } else {
      answer = nil
    }
    switch answer {
    case .register(let answer, let member): return .answer(answer, member: member)
    case .otherLayout(let version): return version > layout.version ? .otherLayout : .aside
    case .hello, .layout, .noted, .held, .written, .digests, .states, .reads, nil: return .silence
    }
  }

  /// Asks an owner what it holds of several keys: as many answers as questions, nil for each that says nothing.
  func ask(_ questions: [ReadQuestion], of member: Member) async -> [ReadAnswer?] {
    let cluster = layouts.current.value
    if member == cluster.topology.ownMember { return await take(questions) }
    guard let peer = cluster.topology.peer(of: member),
      case .reads(let answers)? = await peers.ask(.reads(questions), of: peer, cluster),
      answers.count == questions.count
    else { return questions.map { _ in nil } }
    return answers
  }

  /// The answer to another node. What that one says was missed here, and is not so easily made up for, this node sees to by
  /// itself: bytes may come for longer than anybody waits for an answer.
  func takeFromOther(_ question: RegisterQuestion) async -> NodeAnswer {
    guard case .learn = question.request else { return await take(question) }
    let answer = await take(
      RegisterQuestion(
        version: question.version, epoch: question.epoch, key: question.key, request: question.request, source: nil))
    switch answer {
    case .register(.lacksBytes, _), .register(.outbid, _): missed.note(question.key)
    default: break
    }
    return answer
  }

  /// This node's own answer. It answers only those who go by the layout that it goes by.
  func take(_ question: RegisterQuestion) async -> NodeAnswer {
    let group = question.key.slot.group
    let isCurrent: @Sendable () -> Bool = { layouts.epoch(of: group) == question.epoch }
    let topology = layouts.current.value.topology
    guard let member = voter(about: question.key, isCurrent) else { return .otherLayout(layouts.known?.version ?? 0) }
    if let answer = await registers.answerAtOnce(question.request, question.key, isCurrent: isCurrent) {
      return .register(answer, member)
    }
    let answer = await withTaskExecutorPreference(disk) {
      await registers.answer(question.request, question.key, isCurrent: isCurrent) { descriptor in
        if let content = question.content { return await stage(content, descriptor, question.key) }
        guard let source = question.source, let peer = topology.peer(of: source), source != member else { return false }
        return await UploadFetch(store: store, peers: peers, cluster: layouts.current.value, peer: peer, pace: nil)
          .fetch(descriptor, of: question.key)
      }
    }
    guard let answer else { return .otherLayout(layouts.known?.version ?? 0) }
    return .register(answer, member)
  }

  /// What this node holds of several keys. Where that takes the disk, on few threads at a time: another question may wait
  /// for it as well.
  func take(_ questions: [ReadQuestion]) async -> [ReadAnswer] {
    var all: [ReadAnswer?] = []
    for question in questions { all.append(await look(question, by: registers.readAtOnce)) }
    let left = all.indices.filter { all[$0] == nil }
    await withTaskGroup(of: [(Int, ReadAnswer)].self) { group in
      for first in 0..<min(Self.readThreadsMax, left.count) {
        group.addTask(executorPreference: disk) {
          var answers: [(Int, ReadAnswer)] = []
          for place in stride(from: first, to: left.count, by: Self.readThreadsMax) {
            answers.append((left[place], await take(questions[left[place]])))
          }
          return answers
        }
      }
      for await answers in group { for (index, answer) in answers { all[index] = answer } }
    }
    return all.map { $0 ?? .busy }
  }

  private static let readThreadsMax = 4

  private func take(_ question: ReadQuestion) async -> ReadAnswer {
    if let answer = await look(question, by: registers.readNow) { return answer }
    let isCurrent = layouts.epoch(of: question.key.slot.group) == question.epoch
    return isCurrent ? .busy : .otherLayout(layouts.known?.version ?? 0)
  }

  private func look(
    _ question: ReadQuestion, by read: (Key, () -> Bool) async -> RegisterAnswer?
  ) async -> ReadAnswer? {
    let group = question.key.slot.group
    let isCurrent = { layouts.epoch(of: group) == question.epoch }
    guard let member = voter(about: question.key, isCurrent) else { return .otherLayout(layouts.known?.version ?? 0) }
    return await read(question.key, isCurrent).map { .register($0, member) }
  }

  /// This node's own disk where it has a vote about the key, in the eyes of those who go by the same layout.
  private func voter(about key: Key, _ isCurrent: () -> Bool) -> Member? {
    guard layouts.mayVote, let layout = layouts.known, isCurrent(),
      let member = layouts.current.value.topology.ownMember, layout.view(of: key.slot).hasVoter(member)
    else { return nil }
    return member
  }

  /// Puts what came along where a fetched value would be. On the disk threads.
  private func stage(_ content: SmallContent, _ descriptor: KVCluster.Descriptor, _ key: Key) async -> Bool {
    do throws(StoreError) {
      var staged = try store.stage(key, byteCount: content.bytes.count)
      var failure: StoreError?
      content.bytes.withBytes { bytes in
        do throws(StoreError) { try staged.append(bytes) } catch { failure = error }
      }
      if let failure { throw failure }
      _ = try await staged.seal(ValueFields(decoding: content.fields), expected: descriptor, isDurable: false)
      return true
    } catch {
      return false
    }
  }
}

extension RegisterCalls {
  /// What came of bringing bytes here.
  enum Brought {
    case fetched
    /// They are here already, or there are none.
    case present
    /// All of it is here, or something later is.
    case current
    case missing
  }

  /// Brings a value's bytes here before anybody votes about them, at the pace of what moves: from the first of those who
  /// have them that gives them, which is told.
  func bring(
    _ held: HeldKey, from sources: [Member], _ pace: MovePace
  ) async -> (brought: Brought, source: Member?) {
    let cluster = layouts.current.value
    return await withTaskExecutorPreference(disk) {
      do throws(StoreError) {
        if let own = try await store.held(held.key) {
          if own.ballot > held.ballot || own.ballot == held.ballot && own.hasBytes { return (.current, nil) }
          if own.descriptor.upload == held.descriptor.upload, own.hasBytes { return (.present, nil) }
        }
        if try store.isStaged(held.descriptor, held.key) { return (.present, nil) }
      } catch { return (.missing, nil) }
      guard held.descriptor.kind == .value else { return (.present, nil) }
      for source in sources {
        guard let peer = cluster.topology.peer(of: source) else { continue }
        let fetch = UploadFetch(store: store, peers: peers, cluster: cluster, peer: peer, pace: pace)
        if await fetch.fetch(held.descriptor, of: held.key) { return (.fetched, source) }
      }
      return (.missing, nil)
    }
  }
}

/// Brings the bytes of an upload from another node into the staging area. On the disk threads.
struct UploadFetch: Sendable {
  let store: Store
  let peers: Peers
  let cluster: Cluster
  let peer: Peer
  /// Nil where somebody waits for the bytes.
  let pace: MovePace?

  /// False where they are not to be had, or are not what they should be.
  func fetch(_ descriptor: KVCluster.Descriptor, of key: Key) async -> Bool {
    do {
      try await receive(descriptor, of: key)
      return true
    } catch {
      return false
    }
  }

  /// Fails as a relayed GET would, or as a PUT.
  func receive(_ descriptor: KVCluster.Descriptor, of key: Key) async throws(ExchangeError) {
    var request = ValueRequest(.get, key)
    request.upload = descriptor.upload
    let link = PeerLink(peers: peers, peer: peer, limits: cluster.limits, subject: request.subject)
    let head = PeerProtocol.head(request, to: peer, mark: cluster.topology.relayMark)
    var connection = try await link.connect(isRepeatable: true)
    let answer = try await link.ask(head, &connection)
    let response = try await link.response(answer, to: request, isAllSent: true, &connection)
    guard case .value(let value) = response, value.byteCount == descriptor.valueBytes else {
      if case .failure(let failure) = response { throw .refused(failure) }
      throw .refused(Failure(.unavailable, "\(request.subject): \(peer) has another value"))
    }
    var staged = try stored(request) { () throws(StoreError) in
      try store.stage(key, byteCount: descriptor.valueBytes)
    }
    var body = BodyReader(.length(descriptor.valueBytes))
    var turn = Turn()
    while !body.isComplete {
      guard let count = try staged.append(from: &body, &connection.stream, about: request) else {
        try await connection.stream.waitForBody(about: request)
        continue
      }
      await turn.moved(count)
      await pace?.moved(count)
    }
    link.release(connection)
    do throws(StoreError) {
      _ = try await staged.seal(value.fields, expected: descriptor, isDurable: false)
    } catch {
      throw .refused(error.failure(.put, key))
    }
  }
}
