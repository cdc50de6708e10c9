import KVCore

/// The hosts by whose side this one has answered for keys while there was no layout, each by its list. What they hold
/// belongs to one cluster, and a first layout without one of them would lose it.
package struct Companions: Sendable {
  /// Of more, which no operator lists, nothing is remembered.
  private static let countMax = 2 * Layout.membersMax

  /// Where they were listed.
  package private(set) var hosts: [Peer]

  /// `hosts` are those that are remembered from before.
  package init(_ hosts: [Peer] = []) { self.hosts = hosts }

  /// Those of the list that are not remembered yet, as `own` sees it, which goes by that list. A host that has never
  /// answered may be mistyped, and one without values has nothing to lose.
  package func missing(from list: [Peer], own: String, heard: [Hello], older: Set<String>) -> [Peer] {
    let holders = Set(heard.filter { $0.cluster == nil && ($0.valueCount ?? 0) > 0 }.map(\.name))
    let known = Set(hosts.map(\.name))
    let missing = list.filter { peer in
      peer.name != own && !known.contains(peer.name) && (older.contains(peer.name) || holders.contains(peer.name))
    }
    return Array(missing.prefix(max(0, Self.countMax - hosts.count)))
  }

  package mutating func remember(_ others: [Peer]) { hosts += others }

  /// The names of those that a list does not have any more.
  package func unlisted(in list: [Peer]) -> [String] {
    let names = Set(list.map(\.name))
    return hosts.map(\.name).filter { !names.contains($0) }
  }
}
