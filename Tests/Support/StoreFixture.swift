import KVCore
import KVLinux
import KVStore

/// A store in a temporary directory.
package struct StoreFixture: Sendable {
  package let directory: TemporaryDirectory
  package let store: Store

  /// An empty one.
  package init(durability: Durability = .full, minimumFree: FreeSpaceReserve = .bytes(0)) throws {
    try self.init(TemporaryDirectory(), durability: durability, minimumFree: minimumFree)
  }

  /// One over what a directory holds already.
  package init(
    _ directory: TemporaryDirectory, durability: Durability = .full, minimumFree: FreeSpaceReserve = .bytes(0)
  ) throws {
    self.directory = directory
    store = try Store(path: directory.path + "/data", durability: durability, minimumFree: minimumFree)
  }

  /// The paths of all values, below `values/`.
  package func valuePaths() throws -> [String] { try directory.files(in: "data/values") }

  /// The names of all files in `staging/`.
  package func stagedNames() throws -> [String] { try directory.files(in: "data/staging") }

  /// Stores a value.
  @discardableResult
  package func put(_ key: Key, _ bytes: [UInt8], states: Bool = false) async throws -> ValueAttribute {
    var value = try store.stage(key, byteCount: states ? bytes.count : nil)
    try value.append(bytes)
    return try await value.commit().attribute
  }

  /// Puts zeroes in place of all that is in the index, but for what says where it begins: LMDB then fails for good.
  package func damageIndex() throws {
    let path = "\(directory.path)/data/index/data.mdb"
    let (start, end) = (8192, try File(path: path).status().byteCount)
    let file = try File(writingPath: path)
    try [UInt8](repeating: 0, count: end - start).withBytes { bytes throws(SystemError) in
      try file.write(bytes, at: start)
    }
  }

  /// Flips a bit so far behind the beginning of each such text in the index's file: LMDB leaves older copies of its pages there.
  package func flipBitsInIndex(at text: [UInt8], offset: Int) throws {
    let path = "\(directory.path)/data/index/data.mdb"
    let bytes = try File(path: path).contents(bytesMax: 16 << 20)
    let file = try File(writingPath: path)
    for place in bytes.indices where bytes[place...].starts(with: text) {
      let flipped = [bytes[place + offset] ^ 0x40]
      try flipped.withBytes { bytes throws(SystemError) in try file.write(bytes, at: place + offset) }
    }
  }

  /// A value's bytes, or nil where there is none.
  package func get(_ key: Key) throws -> [UInt8]? {
    guard let value = try store.open(key) else { return nil }
    return try value.file.contents(bytesMax: value.head.byteCount)
  }
}

extension Key {
  /// A key of printable characters.
  package init(text: String) throws { try self.init(Array(text.utf8)) }
}

extension Checksum {
  /// The checksum of some bytes.
  package static func of(_ bytes: [UInt8]) -> ValueChecksum {
    let checksum = Checksum()
    checksum.update(bytes.span.bytes)
    return checksum.value
  }
}

extension StagedValue {
  /// Adds bytes at the end.
  package mutating func append(_ bytes: [UInt8]) throws(StoreError) { try append(bytes.span.bytes) }
}
