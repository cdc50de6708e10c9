import KVCluster
import KVCore
import KVHTTP
import KVLinux

/// How what was decided about a key becomes what its file says.
extension Store {
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
          let present = try present(in: place)
          guard present.ballot == before, try stagedBallot(name) == attribute.ballot else { return false }
          markedName = present.markedName
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

  /// The ballot of what lies in a place, nil where nothing does; and where in quarantine the value lies, where a mark is
  /// there.
  private func present(in place: borrowing Place) throws(StoreError) -> (ballot: Ballot?, markedName: [UInt8]?) {
    do throws(SystemError) {
      guard let file = try place.directory.openFile(place.path.fileName) else { return (nil, nil) }
      let status = try file.status()
      if let markedName = try Quarantine.markedName(file, status) {
        return (try heldInQuarantine(markedName, file, status).ballot, markedName)
      }
      return (try ValueAttribute.read(file)?.ballot, nil)
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
      guard try present(in: place).ballot == before else { return false }
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
      guard try present(in: place).ballot == ballot else { return false }
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
