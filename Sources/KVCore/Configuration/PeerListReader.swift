/// Gathers the `[Peers]` of all files into one list.
///
/// A later file may replace the address of an earlier file's peer, in its place in the list, or take the peer out with
/// an empty address. Within one file a name stands once: there, a second line is a slip of the pen.
struct PeerListReader {
  /// The most peers. Slots are dealt out in ranges of 65536 / peers, so each of 1024 peers still owns 64 of them.
  static let countMax = 1024

  private struct Entry {
    /// The assignment that decided, for messages.
    var assignment: SettingsFile.Assignment
    /// `nil` where the address was refused, or the peer taken out.
    var address: PeerAddress?
    /// Whether the peer was taken out again; its entry stays, to notice that it is named twice.
    var isRemoved: Bool
  }

  private var entries: [Entry] = []
  private var isFull = false

  /// Reads one line of `[Peers]`.
  mutating func read(_ assignment: SettingsFile.Assignment) throws(SettingError) {
    do throws(SettingError) {
      _ = try NodeName.parse(assignment.key)
    } catch {
      throw SettingError(expected: "before the equals sign \(error.expected)")
    }
    guard let index = entries.firstIndex(where: { $0.assignment.key == assignment.key }) else {
      return try add(assignment)
    }
    let earlier = entries[index].assignment
    guard earlier.file != assignment.file else {
      throw SettingError(expected: "each name once; line \(earlier.line) already says \(earlier.key)=\(earlier.value)")
    }
    entries[index] = Entry(assignment: assignment, isRemoved: assignment.value.isEmpty)
    if !assignment.value.isEmpty {
      entries[index].address = try PeerAddress(parsing: assignment.value)
    }
  }

  private mutating func add(_ assignment: SettingsFile.Assignment) throws(SettingError) {
    guard entries.count < Self.countMax else {
      if isFull { return }
      isFull = true
      throw SettingError(expected: "at most \(Self.countMax) peers")
    }
    // Entered before its address is read: a node whose own address is mistyped is not also missing from the list.
    entries.append(Entry(assignment: assignment, isRemoved: false))
    entries[entries.count - 1].address = try PeerAddress(parsing: assignment.value)
  }

  /// The peers in order, without those whose address was refused.
  var peers: [Peer] {
    entries.compactMap { entry in entry.address.map { Peer(name: entry.assignment.key, address: $0) } }
  }

  /// The names of the peers in order, also of those whose address was refused.
  var names: [String] { entries.filter { !$0.isRemoved }.map(\.assignment.key) }

  /// The line of the first peer.
  var firstAssignment: SettingsFile.Assignment? { entries.first { !$0.isRemoved }?.assignment }

  /// An error for each peer whose address is another peer's too.
  var sharedAddresses: [ConfigurationProblem] {
    var holders: [PeerAddress: SettingsFile.Assignment] = [:]
    var problems: [ConfigurationProblem] = []
    for case (let assignment, let address?) in entries.map({ ($0.assignment, $0.address) }) {
      guard let holder = holders[address] else {
        holders[address] = assignment
        continue
      }
      let holderPeer = Peer(name: holder.key, address: address)
      problems.append(
        ConfigurationProblem(
          assignment, "expected an address of its own; \(holder.file):\(holder.line) gives it to \(holderPeer)"))
    }
    return problems
  }
}
