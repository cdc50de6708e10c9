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
    /// `nil` where the line was refused, or the peer taken out.
    var peer: Peer?
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
      entries[index].peer = try PeerLine.parse(assignment)
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
    entries[entries.count - 1].peer = try PeerLine.parse(assignment)
  }

  /// The peers in order, without those whose line was refused.
  var peers: [Peer] { entries.compactMap(\.peer) }

  /// The peers of which a weight or a zone is said.
  var weighed: [(peer: Peer, assignment: SettingsFile.Assignment)] {
    entries.compactMap { entry in
      entry.peer.flatMap { $0.weight == 1 && $0.zone == nil ? nil : ($0, entry.assignment) }
    }
  }

  /// The names of the peers in order, also of those whose line was refused.
  var names: [String] { entries.filter { !$0.isRemoved }.map(\.assignment.key) }

  /// The line of the first peer.
  var firstAssignment: SettingsFile.Assignment? { entries.first { !$0.isRemoved }?.assignment }

  /// An error for each peer whose address is another peer's too.
  var sharedAddresses: [ConfigurationProblem] {
    var holders: [PeerAddress: (peer: Peer, assignment: SettingsFile.Assignment)] = [:]
    var problems: [ConfigurationProblem] = []
    for case (let assignment, let peer?) in entries.map({ ($0.assignment, $0.peer) }) {
      guard let holder = holders[peer.address] else {
        holders[peer.address] = (peer, assignment)
        continue
      }
      let place = "\(holder.assignment.file):\(holder.assignment.line)"
      problems.append(
        ConfigurationProblem(assignment, "expected an address of its own; \(place) gives it to \(holder.peer)"))
    }
    return problems
  }
}

/// What a line of `[Peers]` says of a node: its address, and after it what the placement may go by.
private enum PeerLine {
  static func parse(_ assignment: SettingsFile.Assignment) throws(SettingError) -> Peer {
    let words = assignment.value.split { $0 == " " || $0 == "\t" }.map(String.init)
    let address = try PeerAddress(parsing: words.first ?? "")
    var weight: Int?
    var zone: String?
    for word in words.dropFirst() {
      if word.hasPrefix("weight="), weight == nil {
        weight = try parseWeight(word.dropFirst("weight=".count))
      } else if word.hasPrefix("zone="), zone == nil {
        zone = try parseZone(String(word.dropFirst("zone=".count)))
      } else {
        throw SettingError(
          expected: "after the address at most one weight= and one zone=, without blanks in them, not '\(word)'")
      }
    }
    return Peer(name: assignment.key, address: address, weight: weight ?? 1, zone: zone)
  }

  private static func parseWeight(_ text: Substring) throws(SettingError) -> Int {
    guard let weight = Int(decimalDigits: text), Peer.weights.contains(weight) else {
      throw SettingError(expected: "weight= with a number from 1 to \(Peer.weights.upperBound)")
    }
    return weight
  }

  private static func parseZone(_ text: String) throws(SettingError) -> String {
    do throws(SettingError) { return try NodeName.parse(text) } catch {
      throw SettingError(expected: "zone= with \(error.expected)")
    }
  }
}
