import KVCluster
import KVCore
import KVHTTP
import KVLinux
import KVStore

/// The file `layout` in the data directory: how this disk has voted about the layout, the layout that is in force, and where
/// its hosts were last to be found. docs/value-format.md specifies it.
struct LayoutFile {
  /// What is in it.
  struct Contents: Equatable, Sendable {
    var record = LayoutAcceptor.Record()
    /// Hosts that the layout names, also those that the peer list does not name any more.
    var addresses: [Peer] = []
  }

  private static let heading = Array("kvnode layout 1\n".utf8)
  private static let bytesMax = 4 * Layout.writtenBytesMax
  private static let checksumBytes = 16

  /// Reads it; nothing where there is none. What cannot be understood is refused: a node that forgets its votes may undo
  /// what others have decided.
  static func read(in root: borrowing Directory, _ path: String) throws -> Contents {
    let found: [UInt8]?
    do throws(SystemError) {
      found = try root.contents(of: StoreName.layout, bytesMax: bytesMax + 1)
    } catch {
      throw StoreRefusal(description: "data directory \(path): its file 'layout': \(error)")
    }
    guard let found else { return Contents() }
    guard let contents = decode(found) else {
      throw StoreRefusal(description: "data directory \(path): its file 'layout' is not what this version wrote")
    }
    return contents
  }

  /// Writes it, durably.
  static func write(_ contents: Contents, in root: borrowing Directory) throws(SystemError) {
    try root.replaceFile(StoreName.layout, by: StoreName.newLayout, encode(contents))
  }

  static func encode(_ contents: Contents) -> [UInt8] {
    var writer = ByteWriter()
    contents.record.write(to: &writer)
    writer.write(contents.addresses) { writer, peer in
      writer.write(peer.name)
      writer.write("\(peer.address)")
    }
    return heading + checksum(writer.bytes[...]).bytes + writer.bytes
  }

  static func decode(_ bytes: [UInt8]) -> Contents? {
    guard bytes.count <= bytesMax, bytes.starts(with: heading), bytes.count >= heading.count + checksumBytes else {
      return nil
    }
    let body = bytes[(heading.count + checksumBytes)...]
    guard checksum(body).bytes.elementsEqual(bytes[heading.count..<(heading.count + checksumBytes)]) else { return nil }
    var reader = ByteReader(Array(body))
    do throws(ByteReader.Malformed) {
      var contents = Contents(record: try LayoutAcceptor.Record(reading: &reader))
      contents.addresses = try reader.list(max: 2 * Layout.membersMax) { reader throws(ByteReader.Malformed) in
        let name = try reader.hostName()
        guard let address = try? PeerAddress(parsing: try reader.text(max: 512)) else {
          throw ByteReader.Malformed("an address that cannot be")
        }
        return Peer(name: name, address: address)
      }
      try reader.end()
      return contents
    } catch {
      return nil
    }
  }

  private static func checksum(_ bytes: ArraySlice<UInt8>) -> ValueChecksum {
    let checksum = Checksum()
    Array(bytes).withBytes { checksum.update($0) }
    return checksum.value
  }
}
