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
        let isStaged = try store.isStaged(request.descriptor, key)
        let effects = store.votes.step(request, key, group: group, held, isStaged: isStaged)
        guard let answer = try await perform(effects, key, over: held?.ballot, isCurrent) else { continue }
        guard answer == .lacksBytes, attempt < Self.attemptsMax, let descriptor = request.descriptor else {
          return answer
        }
        fetched = descriptor.upload
        guard await fetch(descriptor) else { return answer }
      } catch {
        if case .shared = error { return nil }
        // The reason is told by the store's health; the vote is not given.
        if case .readOnly = error { store.votes.syncFailed() }
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

extension StoreName {
  /// What such names begin with.
  static let uploadPrefix = "upload-"

  /// Where the bytes of an upload lie in `staging/` once all of them are there.
  static func upload(_ upload: UploadID, of key: Key) -> String {
    "\(uploadPrefix)\(upload.member.number)-\(upload.counter)-\(Hexadecimal.digits(Array(MD5.digest(key.bytes).prefix(8))))"
  }
}

extension Descriptor {
  init(_ attribute: ValueAttribute) {
    self.init(
      upload: attribute.upload, kind: attribute.isDeletion ? .deletion : .value, valueBytes: attribute.valueBytes,
      committedAtNanoseconds: attribute.committedAtNanoseconds, checksum: attribute.checksum)
  }
}

extension ValueAttribute {
  init(_ held: Held) {
    self.init(
      valueBytes: held.descriptor.valueBytes, committedAtNanoseconds: held.descriptor.committedAtNanoseconds,
      checksum: held.descriptor.checksum, upload: held.descriptor.upload, ballot: held.ballot,
      isDeletion: held.descriptor.kind == .deletion)
  }
}

/// What the registers need of the store.
extension Store {
  /// What the disk holds of a key. A value that came here by other means gets what it lacks.
  package func held(_ key: Key) async throws(StoreError) -> Held? {
    guard let place = try openPlace(of: key) else { return nil }
    let opened = try translatingError(StoreError.failed) { () throws(SystemError) in
      try place.directory.openFile(place.path.fileName)
    }
    guard let file = opened else { return nil }
    return try await held(file)
  }

  /// What a key's file stands for.
  func held(_ file: borrowing File) async throws(StoreError) -> Held? {
    let status: File.Status
    let attribute: ValueAttribute
    do throws(SystemError) {
      status = try file.status()
      guard status.isRegular else { return nil }
      if let markedName = try Quarantine.markedName(file, status) {
        return try heldInQuarantine(markedName, file, status)
      }
      let found = try ValueAttribute.read(file)
      attribute = if let found { found } else { try await describe(file, status) }
    } catch {
      throw .failed(error)
    }
    return Held(
      ballot: attribute.ballot, descriptor: Descriptor(attribute), hasBytes: attribute.valueBytes == status.byteCount)
  }

  /// The vote does not go with the bytes. Where a mark of before does not say what was recorded of them, and somebody has
  /// taken them out of quarantine, the mark's time stands for it.
  private func heldInQuarantine(
    _ markedName: [UInt8], _ markFile: borrowing File, _ mark: File.Status
  ) throws(SystemError) -> Held {
    let record = try markFile.attribute(StoreName.markedRecordAttribute, bytesMax: ValueAttribute.byteCount)
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

  /// Whether the bytes of a descriptor wait to be accepted.
  package func isStaged(_ descriptor: Descriptor?, _ key: Key) throws(StoreError) -> Bool {
    guard let descriptor else { return false }
    do throws(SystemError) {
      guard let file = try layout.staging.openFile(StoreName.upload(descriptor.upload, of: key)),
        let attribute = try ValueAttribute.read(file)
      else { return false }
      // Values that came by other means at one time have one upload id.
      return attribute.valueBytes == descriptor.valueBytes && attribute.checksum == descriptor.checksum
    } catch {
      throw .failed(error)
    }
  }

  /// Removes the bytes of an upload that nobody has accepted.
  package func dropUpload(_ upload: UploadID, of key: Key) {
    // What cannot be removed now is removed at the next start.
    _ = try? layout.staging.removeFile(StoreName.upload(upload, of: key))
  }

  /// Removes the bytes of uploads that nobody has accepted although they have been there for so long. Returns how many.
  package func removeUploads(untouchedForSeconds ageSeconds: Int64) throws(SystemError) -> Int {
    let latest = Instant.wallNanoseconds - ageSeconds * 1_000_000_000
    var count = 0
    for name in try layout.staging.names() where name.hasPrefix(StoreName.uploadPrefix) {
      guard let status = try layout.staging.status(of: name), status.modifiedAtNanoseconds <= latest else { continue }
      if try layout.staging.removeFile(name) { count += 1 }
    }
    return count
  }

  /// The bytes of an upload that waits to be accepted, where they are few.
  package func smallContent(of descriptor: Descriptor, _ key: Key) throws(StoreError) -> SmallContent? {
    guard descriptor.valueBytes <= SmallContent.bytesMax else { return nil }
    do throws(SystemError) {
      guard let file = try layout.staging.openFile(StoreName.upload(descriptor.upload, of: key)) else { return nil }
      var content: [UInt8] = []
      while content.count < descriptor.valueBytes {
        let count = try ThreadBuffer.withBytes { bytes throws(SystemError) in
          let count = try file.read(into: &bytes, at: content.count)
          content.append(copying: bytes.bytes.extracting(first: count))
          return count
        }
        // Whoever is asked to accept the value fetches what is here, or says that it cannot.
        guard count > 0, content.count <= descriptor.valueBytes else { return nil }
      }
      return SmallContent(bytes: content, fields: try ValueFields.read(file) ?? ValueFields())
    } catch {
      throw .failed(error)
    }
  }

  /// Opens the bytes of an upload, whether they wait to be accepted or are the key's value.
  package func open(_ upload: UploadID, of key: Key) throws(StoreError) -> StoredValue? {
    let staged = try translatingError(StoreError.failed) { () throws(SystemError) in
      try layout.staging.openFile(StoreName.upload(upload, of: key))
    }
    if let file = staged {
      let status = try translatingError(StoreError.failed) { () throws(SystemError) in try file.status() }
      return try StoredValue.read(file, status)
    }
    guard let value = try open(key), value.attribute?.upload == upload else { return nil }
    return value
  }

  /// Makes something the key's, durably. False where something else lies there by now than at the ballot before.
  func put(
    _ held: Held, of key: Key, from source: Acceptor.Source, over before: Ballot?, if isCurrent: () -> Bool
  ) async throws(StoreError) -> Bool {
    try checkWritable()
    let attribute = ValueAttribute(held)
    switch (source, held.descriptor.kind) {
    case (.staging, _):
      let name = StoreName.upload(held.descriptor.upload, of: key)
      return try await rename(name, attribute, to: key, over: before, if: isCurrent)
    case (.place, .deletion):
      let name = "\(StoreName.upload(held.descriptor.upload, of: key))-deletion"
      defer { _ = try? layout.staging.removeFile(name) }
      do throws(SystemError) {
        _ = try layout.staging.removeFile(name)
        _ = try layout.staging.createFile(name)
      } catch {
        throw StoreError(writing: error)
      }
      return try await rename(name, attribute, to: key, over: before, if: isCurrent)
    case (.place, .value): return try await note(attribute, of: key, over: before, if: isCurrent)
    }
  }

  private func rename(
    _ name: String, _ attribute: ValueAttribute, to key: Key, over before: Ballot?, if isCurrent: () -> Bool
  ) async throws(StoreError) -> Bool {
    let listed = try await describe(name, attribute, key)
    for _ in 0..<Self.placeAttemptsMax {
      let place = try await makePlace(of: key)
      do throws(StoreError) {
        var old: File?
        var markedName: [UInt8]?
        let isRenamed = try locks.withLock(for: key) { () throws(StoreError) in
          guard isCurrent() else { throw .shared }
          guard try ballot(in: place) == before, try stagedBallot(name) == attribute.ballot else { return false }
          markedName = try self.markedName(in: place)
          _ = try replacing(
            place, newBytes: attribute.isDeletion ? nil : attribute.valueBytes, keepingOpen: &old,
            StoreError.init(writing:)
          ) { () throws(SystemError) in
            try layout.staging.rename(name, to: place.path.fileName, in: place.directory)
          }
          index.note(key.bytes, listed)
          return true
        }
        guard isRenamed else { return false }
        try await syncName(in: place, StoreError.init(writing:))
        try checkWritable()
        if let markedName { dropHealed(markedName, attribute) }
        return true
      } catch {
        guard case .failed(let failure) = error, failure.isAbsent else { throw error }
      }
    }
    throw .failed(.absent(call: "renameat"))
  }

  /// The ballot of what lies in a place, or nil where nothing does.
  private func ballot(in place: borrowing Place) throws(StoreError) -> Ballot? {
    do throws(SystemError) {
      guard let file = try place.directory.openFile(place.path.fileName) else { return nil }
      let status = try file.status()
      if let markedName = try Quarantine.markedName(file, status) {
        return try heldInQuarantine(markedName, file, status).ballot
      }
      return try ValueAttribute.read(file)?.ballot
    } catch {
      throw .failed(error)
    }
  }

  /// The ballot that staged bytes say. The same upload may have come once more since that was recorded: what came has not.
  private func stagedBallot(_ name: String) throws(StoreError) -> Ballot? {
    do throws(SystemError) {
      guard let file = try layout.staging.openFile(name) else { return nil }
      return try ValueAttribute.read(file)?.ballot
    } catch {
      throw .failed(error)
    }
  }

  /// Where in quarantine the value lies whose mark is in a place; nil where no mark is there.
  private func markedName(in place: borrowing Place) throws(StoreError) -> [UInt8]? {
    do throws(SystemError) {
      guard let file = try place.directory.openFile(place.path.fileName) else { return nil }
      return try Quarantine.markedName(file, try file.status())
    } catch {
      throw .failed(error)
    }
  }

  /// Takes a damaged value out of quarantine whose very bytes, undamaged, have been put in the place of its mark. Where that
  /// fails it stays, as one does that was overwritten.
  private func dropHealed(_ markedName: [UInt8], _ attribute: ValueAttribute) {
    let name = String(decoding: markedName, as: UTF8.self)
    do throws(SystemError) {
      guard let file = try layout.quarantine.openFile(name), let damaged = try ValueAttribute.read(file),
        damaged.upload == attribute.upload, damaged.checksum == attribute.checksum
      else { return }
      _ = try layout.quarantine.removeFile(name)
    } catch { return }
  }

  /// Records beside staged bytes at which ballot they are accepted; what listings will tell of them.
  private func describe(
    _ name: String, _ attribute: ValueAttribute, _ key: Key
  ) async throws(StoreError) -> ListedValue? {
    do throws(SystemError) {
      guard let file = try layout.staging.openFile(name) else { throw .absent(call: "openat") }
      try file.setAttribute(ValueAttribute.name, attribute.encoded)
      try await syncs.sync(file)
      guard !attribute.isDeletion else { return nil }
      let fields = try ValueFields.read(file)
      return ListedValue(
        key: key.bytes, byteCount: attribute.valueBytes, checksum: attribute.checksum,
        modifiedAt: HTTPDate(nanosecondsSince1970: attribute.committedAtNanoseconds),
        contentType: fields?.contentType)
    } catch {
      throw StoreError(writing: error)
    }
  }

  /// Records a new ballot beside a value that is in place.
  private func note(
    _ attribute: ValueAttribute, of key: Key, over before: Ballot?, if isCurrent: () -> Bool
  ) async throws(StoreError) -> Bool {
    guard let place = try openPlace(of: key) else { return false }
    let opened = try translatingError(StoreError.init(writing:)) { () throws(SystemError) in
      try place.directory.openFile(place.path.fileName)
    }
    guard let file = opened else { return false }
    let isNoted = try locks.withLock(for: key) { () throws(StoreError) in
      usage.beginChange(shard: place.path.shardNumber)
      defer { usage.endChange(shard: place.path.shardNumber, from: nil, to: nil) }
      guard isCurrent() else { throw .shared }
      // The file is the one that its name leads to: another would have another ballot.
      guard try ballot(in: place) == before else { return false }
      do throws(SystemError) { try file.setAttribute(ValueAttribute.name, attribute.encoded) } catch {
        throw StoreError(writing: error)
      }
      return true
    }
    guard isNoted else { return false }
    do throws(SystemError) { try await syncs.sync(file) } catch { throw StoreError(writing: error) }
    try checkWritable()
    return true
  }

  /// Takes a key's file away, durably, if it is still what was accepted at the ballot.
  package func remove(_ key: Key, holding ballot: Ballot, if isCurrent: () -> Bool) async throws(StoreError) {
    try checkWritable()
    guard let place = try openPlace(of: key) else { return }
    var old: File?
    let isRemoved = try locks.withLock(for: key) { () throws(StoreError) in
      guard isCurrent() else { throw .shared }
      guard try self.ballot(in: place) == ballot else { return false }
      votes.forget(group: UInt8(place.path.shardNumber))
      _ = try replacing(place, newBytes: nil, keepingOpen: &old, StoreError.failed) { () throws(SystemError) in
        _ = try place.directory.removeFile(place.path.fileName)
      }
      index.note(key.bytes, nil)
      return true
    }
    guard isRemoved else { return }
    try await syncName(in: place, StoreError.failed)
    try pruneDirectories(of: place.path)
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
