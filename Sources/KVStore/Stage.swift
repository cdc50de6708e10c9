import KVCluster
import KVCore
import KVHTTP
import KVLinux

/// A value on its way into the store: a file in `staging/` that no reader sees.
///
/// It becomes the key's value by `commit`; one that goes away uncommitted is removed.
package struct StagedValue: ~Copyable {
  /// How much is written before the kernel is told to start on it, so that the sync at the end finds little to do.
  private static let writeBackBytes: Int = 8 << 20
  /// How much of a value of unknown length is written between two looks at the free space.
  private static let spaceCheckBytes: Int = 16 << 20

  /// How many bytes have been written.
  package private(set) var byteCount: Int = 0
  /// The key whose value it is to be.
  let key: Key
  /// By what the request is recognised when it comes once more, where the client has said it.
  package var request: RequestToken?
  /// Its name in `staging/`.
  let name: String
  let store: Store
  private let epoch: UInt64

  private let file: File
  private let checksum = Checksum()
  private var isPreallocated = false
  private var writeBackFrom: Int = 0
  private var isCommitted = false
  /// At which ballot it is to be accepted.
  private var ballot = Ballot.none
  /// What listings tell of it, once that is settled.
  private var listed: ListedValue?
  private var moveAttempts = 0
  /// The file of the value that this one has replaced, if it is large. Closing it frees its space, which can wait until
  /// the client has its answer.
  private var replaced: File?

  init(key: Key, name: String, epoch: UInt64, store: Store) throws(StoreError) {
    self.epoch = epoch
    self.key = key
    self.name = name
    self.store = store
    file = try translatingError(StoreError.init(writing:)) { () throws(SystemError) in
      try store.layout.staging.createFile(name)
    }
  }

  deinit {
    // A file that cannot be removed now is removed at the next start.
    if !isCommitted { _ = try? store.layout.staging.removeFile(name) }
  }

  /// Reserves disk space for the whole value, so that a full disk is found out before the bytes come.
  mutating func reserve(byteCount: Int) throws(StoreError) {
    guard byteCount > 0 else { return }
    do throws(SystemError) {
      isPreallocated = try file.preallocate(byteCount: byteCount)
    } catch {
      throw StoreError(writing: error)
    }
  }

  /// Adds bytes at the end.
  package mutating func append(_ bytes: RawSpan) throws(StoreError) {
    checksum.update(bytes)
    do throws(SystemError) { try file.write(bytes, at: byteCount) } catch { throw StoreError(writing: error) }
    let before = byteCount
    byteCount += Int(bytes.byteCount)
    if store.durability == .full && byteCount - writeBackFrom >= Self.writeBackBytes {
      file.startWriteBack(offset: writeBackFrom, byteCount: byteCount - writeBackFrom)
      writeBackFrom = byteCount
    }
    if !isPreallocated && before / Self.spaceCheckBytes != byteCount / Self.spaceCheckBytes {
      try store.checkSpace(for: 0)
    }
  }

  /// Records beside the bytes what is known of them.
  mutating func describe(_ fields: ValueFields) throws(StoreError) -> ValueAttribute {
    let attribute = try summary(fields)
    do throws(SystemError) { try file.setAttribute(ValueAttribute.name, attribute.encoded) } catch {
      throw StoreError(writing: error)
    }
    return attribute
  }

  /// What is known of the bytes; beside them only the fields are recorded.
  private mutating func summary(_ fields: ValueFields) throws(StoreError) -> ValueAttribute {
    let attribute: ValueAttribute
    do throws(SystemError) {
      let ballot = try store.votes.stamp()
      attribute = ValueAttribute(
        valueBytes: byteCount, committedAtNanoseconds: Instant.wallNanoseconds, checksum: checksum.value,
        upload: UploadID(member: ballot.member, counter: ballot.counter), ballot: ballot, request: request)
      if !fields.isEmpty { try file.setAttribute(ValueFields.attributeName, fields.encoded) }
    } catch {
      throw StoreError(writing: error)
    }
    ballot = attribute.ballot
    listed = ListedValue(
      key: key.bytes, byteCount: byteCount, checksum: attribute.checksum,
      modifiedAt: HTTPDate(nanosecondsSince1970: attribute.committedAtNanoseconds),
      contentType: fields.contentType)
    return attribute
  }

  /// Ends an upload whose key others vote about too: its bytes wait under its name until they are accepted. They are made
  /// durable then at the latest, and here already where there may be many.
  package mutating func seal(
    _ fields: ValueFields, as upload: UploadID? = nil, isDurable: Bool = true
  ) async throws(StoreError) -> Descriptor {
    var attribute = try summary(fields)
    if let upload { attribute.upload = upload }
    return try await seal(attribute, isDurable)
  }

  /// The same for one that came from elsewhere, and must be what it was there.
  package mutating func seal(
    _ fields: ValueFields, expected: Descriptor, isDurable: Bool = true
  ) async throws(StoreError) -> Descriptor {
    var attribute = try summary(fields)
    attribute.upload = expected.upload
    attribute.committedAtNanoseconds = expected.committedAtNanoseconds
    attribute.request = expected.request
    guard attribute.checksum == expected.checksum, byteCount == expected.valueBytes else {
      throw .damaged(detail: "\(byteCount) bytes with the checksum \(attribute.checksum) came in its place")
    }
    return try await seal(attribute, isDurable)
  }

  private mutating func seal(_ attribute: ValueAttribute, _ isDurable: Bool) async throws(StoreError) -> Descriptor {
    let name = StoreName.upload(attribute.upload, of: key)
    do throws(SystemError) {
      try file.setAttribute(ValueAttribute.name, attribute.encoded)
      // The same upload may come twice at once, and be accepted meanwhile.
      try store.locks.withLock(for: key) { () throws(SystemError) in
        try store.layout.staging.rename(self.name, to: name, in: store.layout.staging)
      }
    } catch {
      throw StoreError(writing: error)
    }
    isCommitted = true
    if isDurable { try await syncContent() }
    return Descriptor(attribute)
  }

  /// Makes the bytes, and what was recorded beside them, durable.
  func syncContent() async throws(StoreError) {
    do throws(SystemError) { try await store.syncs.sync(file) } catch { throw StoreError(writing: error) }
  }

  /// What came of giving the file its name.
  enum Move {
    case done(created: Bool)
    /// The place is gone: a DEL of another key took the emptied directory away.
    case placeGone
    /// The client has asked for it before by the same name, and there it is.
    case doneBefore(ValueAttribute)
  }

  /// Gives the file its name in the place, if the condition holds.
  mutating func move(
    to place: borrowing Store.Place, as attribute: ValueAttribute, if condition: WriteCondition
  ) throws(StoreError) -> Move {
    moveAttempts += 1
    do throws(StoreError) {
      var old: File?
      let outcome = try store.locks.withLock(for: key) { () throws(StoreError) in
        guard store.gates.isAlone(place.path.shardNumber, since: epoch) else { throw .shared }
        // A round of before may still be under way; it must find that it comes too late.
        guard !store.votes.outbids(ballot, key, group: UInt8(place.path.shardNumber)) else { throw .outbid }
        if let present = try store.repeated(attribute.request, in: place) {
          guard present.checksum == attribute.checksum, present.valueBytes == attribute.valueBytes else {
            throw .repeatedOtherwise
          }
          return Move.doneBefore(present)
        }
        try store.check(condition, in: place)
        let existed = try store.replacing(place, newBytes: byteCount, keepingOpen: &old, StoreError.init(writing:)) {
          () throws(SystemError) in
          try store.layout.staging.rename(name, to: place.path.fileName, in: place.directory)
        }
        store.index.note(key.bytes, listed)
        return Move.done(created: !existed)
      }
      replaced = consume old
      if case .done = outcome { isCommitted = true }
      return outcome
    } catch {
      guard case .failed(let failure) = error, failure.isAbsent, moveAttempts < Store.placeAttemptsMax else {
        throw error
      }
      return .placeGone
    }
  }
}

extension StoreError {
  /// A call that failed while a value was being written.
  init(writing error: SystemError) {
    self = error.isDiskFull ? .full(detail: "no space: \(error)") : .failed(error)
  }
}
