import KVCluster
import KVCore
import KVHTTP
import KVLinux

/// The file `layout` in the data directory: how this disk has voted about the layout, the layout that is in force, and where
/// its hosts were last to be found. docs/value-format.md specifies it.
package enum LayoutFile {
  /// What is in it.
  package struct Contents: Equatable, Sendable {
    package var record = LayoutAcceptor.Record()
    /// Hosts that the layout names, also those that the peer list does not name any more. Before there is one, those that a
    /// first layout must not leave out.
    package var addresses: [Peer] = []
    /// How far the disks of the layout had come.
    package var remembered: [RememberedDisk] = []

    package init(record: LayoutAcceptor.Record = .init(), addresses: [Peer] = [], remembered: [RememberedDisk] = []) {
      (self.record, self.addresses, self.remembered) = (record, addresses, remembered)
    }

    /// Hosts that the peer list must name as long as there is no layout. Once one was accepted, that says who must agree.
    package var companions: [Peer] { record == LayoutAcceptor.Record() ? addresses : [] }
  }

  /// Why it cannot be used.
  package struct Unusable: Error, CustomStringConvertible {
    package let description: String
  }

  private static let heading = Array("kvnode layout 1\n".utf8)
  private static let bytesMax = 4 * Layout.writtenBytesMax
  private static let checksumBytes = 16
  /// Of no more hosts does it say where they are, or how far their disks had come.
  package static let hostsMax = 2 * Layout.membersMax

  /// Reads it; nothing where there is none. What cannot be understood is refused: a node that forgets its votes may undo
  /// what others have decided.
  package static func read(in root: borrowing Directory, _ path: String) throws(Unusable) -> Contents {
    let found: [UInt8]?
    do throws(SystemError) {
      found = try root.contents(of: StoreName.layout, bytesMax: bytesMax + 1)
    } catch {
      throw Unusable(description: "data directory \(path): its file 'layout': \(error)")
    }
    guard let found else { return Contents() }
    guard let contents = decode(found) else {
      throw Unusable(description: "data directory \(path): its file 'layout' is not what this version wrote")
    }
    return contents
  }

  /// Whether a node of that name with that data directory need not be in its peer list: the others may let it go. A disk
  /// that they know under another name is rather one whose node's name is mistyped.
  package static func allowsAbsence(of name: String, inDataDirectory path: String) -> Bool {
    guard let found = (try? found(inDataDirectory: path)) ?? nil, let layout = found.contents.record.known else {
      return false
    }
    return layout.members.allSatisfy { $0.disk != found.disk || $0.name == name }
  }

  /// What is in the file of a data directory, whoever serves that, and the disk's id; nil where there is neither.
  package static func found(inDataDirectory path: String) throws(Unusable) -> (contents: Contents, disk: DiskID)? {
    guard let root = try? Directory(path: path), let identifier = (try? StoreIdentifier.read(in: root, path)) ?? nil
    else { return nil }
    return (try read(in: root, path), DiskID(identifier))
  }

  /// Writes it, durably.
  package static func write(_ contents: Contents, in root: borrowing Directory) throws(SystemError) {
    try root.replaceFile(StoreName.layout, by: StoreName.newLayout, encode(contents))
  }

  static func encode(_ contents: Contents) -> [UInt8] {
    var writer = ByteWriter()
    contents.record.write(to: &writer)
    writer.write(contents.addresses) { writer, peer in
      writer.write(peer.name)
      writer.write("\(peer.address)")
    }
    writer.write(contents.remembered) { $1.write(to: &$0) }
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
      contents.addresses = try reader.list(max: hostsMax) { reader throws(ByteReader.Malformed) in
        let name = try reader.hostName()
        guard let address = try? PeerAddress(parsing: try reader.text(max: 512)) else {
          throw ByteReader.Malformed("an address that cannot be")
        }
        return Peer(name: name, address: address)
      }
      contents.remembered = try reader.list(max: hostsMax) { reader throws(ByteReader.Malformed) in
        try RememberedDisk(reading: &reader)
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

extension DiskID {
  /// The id that a data directory has had from its beginning.
  package init(_ identifier: StoreIdentifier) {
    let digits = identifier.description
    self.init(high: UInt64(digits.prefix(16), radix: 16) ?? 0, low: UInt64(digits.suffix(16), radix: 16) ?? 0)
  }
}
