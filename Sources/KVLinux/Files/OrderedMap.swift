import CLMDB
import Glibc
import KVCore

/// A map of byte strings in byte order, kept in a file (LMDB): for what can be made anew, because nothing is synced.
///
/// One change is made at a time and any number of looks taken meanwhile, each at the map as it was when it began. All calls
/// may block on the disk.
package final class OrderedMap: Sendable {
  /// One of the tables that the map is divided into.
  package struct Table: Sendable, Equatable {
    fileprivate let handle: MDB_dbi
  }

  /// The longest key, in bytes (lmdb.h, mdb_env_get_maxkeysize).
  package static let keyBytesMax = 511
  /// The names of the two files, in the directory.
  package static let fileNames = ["data.mdb", "lock.mdb"]
  private static let readersMax: UInt32 = 1024

  /// Sharing the pointer is safe: it never changes, the environment is open until `deinit`, when nobody holds this object
  /// any more, and any thread may use it, and with MDB_NOTLS a transaction too (lmdb.h, mdb_env_open).
  private nonisolated(unsafe) let environment: OpaquePointer

  /// Opens the map in a directory, which must exist, and makes it where it is missing. `bytesMax` is address space, not disk.
  package init(directory path: String, bytesMax: Int, tablesMax: Int) throws(SystemError) {
    var opened: OpaquePointer?
    try Self.check("mdb_env_create", mdb_env_create(&opened))
    guard let opened else { preconditionFailure("mdb_env_create made nothing") }
    environment = opened
    let flags = UInt32(MDB_NOSYNC | MDB_NOTLS | MDB_NORDAHEAD)
    do throws(SystemError) {
      try Self.check("mdb_env_set_mapsize", mdb_env_set_mapsize(opened, bytesMax))
      try Self.check("mdb_env_set_maxdbs", mdb_env_set_maxdbs(opened, MDB_dbi(tablesMax)))
      try Self.check("mdb_env_set_maxreaders", mdb_env_set_maxreaders(opened, Self.readersMax))
      try Self.check("mdb_env_open", mdb_env_open(opened, path, flags, 0o600))
    } catch {
      mdb_env_close(opened)
      throw error
    }
  }

  deinit { mdb_env_close(environment) }

  /// The table of that name, made where it is missing. To be called before any other use.
  package func table(_ name: String) throws(SystemError) -> Table {
    try change { change throws(SystemError) in
      var handle = MDB_dbi()
      try Self.check("mdb_dbi_open", mdb_dbi_open(change.transaction, name, UInt32(MDB_CREATE), &handle))
      return Table(handle: handle)
    }
  }

  /// Makes all changes of the body, or none if it fails.
  package func change<Result>(
    _ body: (borrowing Change) throws(SystemError) -> Result
  ) throws(SystemError) -> Result {
    let change = Change(try begin(flags: 0))
    let result: Result
    do throws(SystemError) { result = try body(change) } catch {
      mdb_txn_abort(change.transaction)
      throw error
    }
    // One that cannot be committed is gone all the same.
    try Self.check("mdb_txn_commit", mdb_txn_commit(change.transaction))
    return result
  }

  /// Writes what was changed so far to the disk.
  package func sync() throws(SystemError) { try Self.check("mdb_env_sync", mdb_env_sync(environment, 1)) }

  /// What to do after an entry.
  package enum Step: Sendable {
    /// Go on with the next one.
    case next
    /// Go on with the first one from that key on.
    case seek([UInt8])
    case stop
  }

  /// Takes a look at the map as it is now.
  package func look<Result>(
    _ body: (borrowing Look) throws(SystemError) -> Result
  ) throws(SystemError) -> Result {
    let look = Look(transaction: try begin(flags: UInt32(MDB_RDONLY)))
    defer { mdb_txn_abort(look.transaction) }
    return try body(look)
  }

  /// A look that is being taken.
  package struct Look: ~Copyable {
    fileprivate let transaction: OpaquePointer

    /// The value under a key, or nil.
    package func value(of key: [UInt8], in table: Table) throws(SystemError) -> [UInt8]? {
      try OrderedMap.value(of: key, in: table, transaction)
    }

    /// Goes through the entries from a key on, in order, until the body says stop.
    package func forEach(
      in table: Table, from start: [UInt8], _ body: ([UInt8], [UInt8]) -> Step
    ) throws(SystemError) {
      var opened: OpaquePointer?
      try OrderedMap.check("mdb_cursor_open", mdb_cursor_open(transaction, table.handle, &opened))
      guard let cursor = opened else { preconditionFailure("mdb_cursor_open made nothing") }
      defer { mdb_cursor_close(cursor) }
      var target: [UInt8]? = start
      while let (key, value) = try OrderedMap.entry(cursor, from: target) {
        switch body(key, value) {
        case .next: target = nil
        case .seek(let next): target = next
        case .stop: return
        }
      }
    }
  }

  /// The entry after the cursor's, or the first one from a key on.
  fileprivate static func entry(
    _ cursor: OpaquePointer, from start: [UInt8]?
  ) throws(SystemError) -> (key: [UInt8], value: [UInt8])? {
    var (key, value) = (MDB_val(), MDB_val())
    var result: CInt
    if var start {
      // To LMDB the empty key is none.
      result = start.withUnsafeMutableBytes { bytes in
        key = MDB_val(mv_size: bytes.count, mv_data: bytes.baseAddress)
        return mdb_cursor_get(cursor, &key, &value, bytes.isEmpty ? MDB_FIRST : MDB_SET_RANGE)
      }
    } else {
      result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)
    }
    if result == MDB_NOTFOUND { return nil }
    try check("mdb_cursor_get", result)
    return (bytes(key), bytes(value))
  }

  private static func bytes(_ value: MDB_val) -> [UInt8] {
    [UInt8](UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size))
  }

  private func begin(flags: UInt32) throws(SystemError) -> OpaquePointer {
    var transaction: OpaquePointer?
    try Self.check("mdb_txn_begin", mdb_txn_begin(environment, nil, flags, &transaction))
    guard let transaction else { preconditionFailure("mdb_txn_begin made nothing") }
    return transaction
  }

  fileprivate static func check(_ call: String, _ result: CInt) throws(SystemError) {
    if result != 0 { throw SystemError(call: call, code: result) }
  }

  /// A change that is under way.
  package struct Change: ~Copyable {
    fileprivate let transaction: OpaquePointer

    fileprivate init(_ transaction: OpaquePointer) { self.transaction = transaction }

    /// Puts a value under a key, in the place of another.
    package func put(_ key: [UInt8], _ value: [UInt8], in table: Table) throws(SystemError) {
      let result = OrderedMap.withValues(key, value) { mdb_put(transaction, table.handle, &$0, &$1, 0) }
      try OrderedMap.check("mdb_put", result)
    }

    /// Takes a key out; false where it was not there.
    package func remove(_ key: [UInt8], from table: Table) throws(SystemError) -> Bool {
      let result = OrderedMap.withValues(key, []) { key, _ in mdb_del(transaction, table.handle, &key, nil) }
      if result == MDB_NOTFOUND { return false }
      try OrderedMap.check("mdb_del", result)
      return true
    }

    /// The value under a key, or nil.
    package func value(of key: [UInt8], in table: Table) throws(SystemError) -> [UInt8]? {
      try OrderedMap.value(of: key, in: table, transaction)
    }

    /// Empties a table.
    package func empty(_ table: Table) throws(SystemError) {
      try OrderedMap.check("mdb_drop", mdb_drop(transaction, table.handle, 0))
    }
  }

  private static func value(
    of key: [UInt8], in table: Table, _ transaction: OpaquePointer
  ) throws(SystemError) -> [UInt8]? {
    var found: [UInt8]?
    let result = withValues(key, []) { key, value in
      let result = mdb_get(transaction, table.handle, &key, &value)
      if result == 0 { found = bytes(value) }
      return result
    }
    if result == MDB_NOTFOUND { return nil }
    try check("mdb_get", result)
    return found
  }

  private static func withValues(
    _ key: [UInt8], _ value: [UInt8], _ call: (inout MDB_val, inout MDB_val) -> CInt
  ) -> CInt {
    var (key, value) = (key, value)
    return key.withUnsafeMutableBytes { keyBytes in
      value.withUnsafeMutableBytes { valueBytes in
        var keyValue = MDB_val(mv_size: keyBytes.count, mv_data: keyBytes.baseAddress)
        var valueValue = MDB_val(mv_size: valueBytes.count, mv_data: valueBytes.baseAddress)
        return call(&keyValue, &valueValue)
      }
    }
  }
}
