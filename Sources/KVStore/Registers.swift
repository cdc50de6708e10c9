import KVCluster
import KVCore
import KVHTTP
import KVLinux

/// The registers of the keys whose values lie on this disk: what it says about them, and does, when nodes vote.
package final class Registers: Sendable {
  private static let attemptsMax = 3

  private let store: Store
  private let turns = KeyTurns()

  package init(_ store: Store) { self.store = store }

  /// Answers a request about a key, one at a time. `fetch` brings the bytes of an upload into the staging area, if it can.
  /// Nil where the one who asks does not go by the layout that this node goes by: `isCurrent` tells, also at the moment at
  /// which something is stored. On the disk threads.
  package func answer(
    _ request: RegisterRequest, _ key: Key, isCurrent: @escaping @Sendable () -> Bool,
    fetch: (Descriptor) async -> Bool
  ) async -> RegisterAnswer? {
    await turns.withTurn(of: key) { await self.take(request, key, isCurrent, fetch) } ?? .unable
  }

  /// An answer that takes no disk; nil where it does, or somebody is at the key, or the layout has changed. On any thread.
  package func answerAtOnce(_ request: RegisterRequest, _ key: Key, isCurrent: () -> Bool) async -> RegisterAnswer? {
    switch request {
    case .read, .prepare: await look(request, key, isCurrent) { store.recordedAtOnce($0) }
    case .accept, .learn, .purge: nil
    }
  }

  /// The same, of what is held.
  package func readAtOnce(_ key: Key, isCurrent: () -> Bool) async -> RegisterAnswer? {
    await answerAtOnce(.read, key, isCurrent: isCurrent)
  }

  /// What is held of a key, where that is to be had at once. Nil where somebody is at the key, its value has yet to be read
  /// for what it lacks, or the layout has changed.
  package func readNow(_ key: Key, isCurrent: () -> Bool) async -> RegisterAnswer? {
    await look(.read, key, isCurrent) { key throws(StoreError) in try store.recorded(key) }
  }

  /// An answer that changes nothing on the disk, from what is recorded of the key.
  private func look(
    _ request: RegisterRequest, _ key: Key, _ isCurrent: () -> Bool,
    _ recorded: (Key) throws(StoreError) -> Store.Recorded?
  ) async -> RegisterAnswer? {
    noticeFailedSync()
    return await turns.withLook(at: key) { () -> RegisterAnswer? in
      guard isCurrent() else { return nil }
      do throws(StoreError) {
        guard case .held(let held)? = try recorded(key) else { return nil }
        return store.votes.answerAtOnce(request, key, group: UInt8(key.slot.group), held)
      } catch {
        return .unable
      }
    } ?? nil
  }

  /// After a sync has failed, whichever, what the kernel shows of this disk may not be on it: it votes no more.
  private func noticeFailedSync() {
    if store.readOnlyReason != nil { store.votes.syncFailed() }
  }

  private func take(
    _ request: RegisterRequest, _ key: Key, _ isCurrent: @escaping @Sendable () -> Bool,
    _ fetch: (Descriptor) async -> Bool
  ) async -> RegisterAnswer? {
    let group = UInt8(key.slot.group)
    var fetched: UploadID?
    // What was fetched and is not stored after all is of no use to anybody.
    defer { if let fetched { store.dropUpload(fetched, of: key) } }
    for attempt in 1...Self.attemptsMax {
      do throws(StoreError) {
        guard isCurrent() else { return nil }
        let held = try await store.held(key)
        noticeFailedSync()
        let isStaged = try store.isStaged(request.descriptor, key)
        let effects = store.votes.step(request, key, group: group, held, isStaged: isStaged)
        guard let answer = try await perform(effects, key, over: held?.ballot, isCurrent) else { continue }
        guard answer == .lacksBytes, attempt < Self.attemptsMax, let descriptor = request.descriptor else {
          return answer
        }
        guard await fetch(descriptor) else { return answer }
        fetched = descriptor.upload
      } catch {
        if case .shared = error { return nil }
        // The reason is told by the store's health; the vote is not given.
        return .unable
      }
    }
    return .lacksBytes
  }

  /// The effects in order, each durable before the next. Nil where something else lies there by now than what they were
  /// decided over: this node may have stored something alone meanwhile.
  private func perform(
    _ effects: [Acceptor.Effect], _ key: Key, over before: Ballot?, _ isCurrent: @Sendable () -> Bool
  ) async throws(StoreError) -> RegisterAnswer? {
    for effect in effects {
      switch effect {
      case .raiseHorizon(let horizon):
        do throws(SystemError) { try store.votes.reach(horizon) } catch { throw StoreError(writing: error) }
      case .store(let held, from: let source):
        guard try await store.put(held, of: key, from: source, over: before, if: isCurrent) else { return nil }
      // It is kept in memory: a later process takes the horizon for the floor of all.
      case .raiseFloor: store.votes.forget(group: UInt8(key.slot.group))
      case .remove:
        guard let before else { continue }
        try await store.remove(key, holding: before, if: isCurrent)
      case .answer(let answer): return answer
      }
    }
    preconditionFailure("the last effect is an answer")
  }
}

extension Descriptor {
  init(_ attribute: ValueAttribute) {
    self.init(
      upload: attribute.upload, kind: attribute.isDeletion ? .deletion : .value, valueBytes: attribute.valueBytes,
      committedAtNanoseconds: attribute.committedAtNanoseconds, checksum: attribute.checksum,
      request: attribute.request)
  }
}

extension Held {
  fileprivate init(_ attribute: ValueAttribute, _ status: File.Status) {
    self.init(
      ballot: attribute.ballot, descriptor: Descriptor(attribute), hasBytes: attribute.valueBytes == status.byteCount)
  }
}

extension ValueAttribute {
  init(_ held: Held) {
    self.init(
      valueBytes: held.descriptor.valueBytes, committedAtNanoseconds: held.descriptor.committedAtNanoseconds,
      checksum: held.descriptor.checksum, upload: held.descriptor.upload, ballot: held.ballot,
      isDeletion: held.descriptor.kind == .deletion, request: held.descriptor.request)
  }
}

/// What the registers need of the store.
extension Store {
  /// What the disk holds of a key. A value that came here by other means gets what it lacks.
  package func held(_ key: Key) async throws(StoreError) -> Held? {
    guard let file = try openFile(of: key) else { return nil }
    return try await held(file)
  }

  /// What is recorded of a key's file.
  enum Recorded {
    case held(Held?)
    /// The value came here by other means, and nothing is recorded of it yet.
    case nothing(File.Status)
  }

  /// What is recorded of what the disk holds of a key.
  func recorded(_ key: Key) throws(StoreError) -> Recorded {
    guard let file = try openFile(of: key) else { return .held(nil) }
    return try translatingError(StoreError.failed) { () throws(SystemError) in try recorded(file) }
  }

  /// The same, where telling it takes no disk.
  func recordedAtOnce(_ key: Key) -> Recorded? {
    let path = ValuePath(key: key, slot: key.slot)
    switch layout.values.lookUpCached(path.directories + [path.fileName]) {
    case .unknown: return nil
    case .absent:
      // Where the directory of its group is gone, nothing can be said of any of its keys.
      guard case .found = layout.values.lookUpCached([path.directories[0]]) else { return nil }
      return .held(nil)
    case .found(let file):
      do throws(SystemError) {
        // A mark leads to another file.
        guard try Quarantine.markedName(file, try file.status()) == nil else { return nil }
        return try recorded(file)
      } catch { return nil }
    }
  }

  private func openFile(of key: Key) throws(StoreError) -> File? {
    guard let place = try openPlace(of: key) else { return nil }
    return try translatingError(StoreError.failed) { () throws(SystemError) in
      try place.directory.openFile(place.path.fileName)
    }
  }

  private func recorded(_ file: borrowing File) throws(SystemError) -> Recorded {
    let status = try file.status()
    guard status.isRegular else { return .held(nil) }
    if let markedName = try Quarantine.markedName(file, status) {
      return .held(try heldInQuarantine(markedName, file, status))
    }
    return try ValueAttribute.read(file).map { .held(Held($0, status)) } ?? .nothing(status)
  }

  /// What a key's file stands for.
  func held(_ file: borrowing File) async throws(StoreError) -> Held? {
    do throws(SystemError) {
      switch try recorded(file) {
      case .held(let held): return held
      case .nothing(let status): return Held(try await describe(file, status), status)
      }
    } catch {
      throw .failed(error)
    }
  }

  /// The vote does not go with the bytes. Where a mark of before does not say what was recorded of them, and somebody has
  /// taken them out of quarantine, the mark's time stands for it.
  func heldInQuarantine(
    _ markedName: [UInt8], _ markFile: borrowing File, _ mark: File.Status
  ) throws(SystemError) -> Held {
    let record = try markFile.attribute(StoreName.markedRecordAttribute, bytesMax: ValueAttribute.byteCountMax)
    if let record, let attribute = try? ValueAttribute(decoding: record) {
      return Held(ballot: attribute.ballot, descriptor: Descriptor(attribute), hasBytes: false)
    }
    let name = String(decoding: markedName, as: UTF8.self)
    if let file = try layout.quarantine.openFile(name), let attribute = try ValueAttribute.read(file) {
      return Held(ballot: attribute.ballot, descriptor: Descriptor(attribute), hasBytes: false)
    }
    let (upload, ballot) = ValueAttribute.versions(committedAtNanoseconds: mark.modifiedAtNanoseconds)
    let descriptor = Descriptor(
      upload: upload, kind: .value, valueBytes: 0, committedAtNanoseconds: mark.modifiedAtNanoseconds,
      checksum: ValueChecksum(high: 0, low: 0))
    return Held(ballot: ballot, descriptor: descriptor, hasBytes: false)
  }

  /// Records beside a file's bytes what a PUT would have.
  private func describe(_ file: borrowing File, _ status: File.Status) async throws(SystemError) -> ValueAttribute {
    let (upload, ballot) = ValueAttribute.versions(committedAtNanoseconds: status.modifiedAtNanoseconds)
    let attribute = ValueAttribute(
      valueBytes: status.byteCount, committedAtNanoseconds: status.modifiedAtNanoseconds,
      checksum: try await Checksum.of(file), upload: upload, ballot: ballot)
    try file.setAttribute(ValueAttribute.name, attribute.encoded)
    try await syncs.sync(file)
    return attribute
  }
}

extension Checksum {
  /// The checksum of all bytes of a file, which others may use the threads between.
  static func of(_ file: borrowing File) async throws(SystemError) -> ValueChecksum {
    let checksum = Checksum()
    var turn = Turn()
    var offset = 0
    while true {
      let count = try ThreadBuffer.withBytes { bytes throws(SystemError) in
        let count = try file.read(into: &bytes, at: offset)
        checksum.update(bytes.bytes.extracting(first: count))
        return count
      }
      if count == 0 { return checksum.value }
      offset += count
      await turn.moved(count)
    }
  }
}
