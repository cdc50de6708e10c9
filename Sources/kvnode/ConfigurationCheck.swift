import KVCluster
import KVCore
import KVLinux
import KVServer
import KVStore

/// `kvnode --check-config`: says what a configuration that can be used means on this host.
struct ConfigurationCheck {
  private let configuration: Configuration

  init(_ configuration: Configuration) { self.configuration = configuration }

  /// Looks at all, and says what there is to know, or with `isQuiet` only what is wrong.
  func run(isQuiet: Bool) {
    do throws(TLSError) { _ = try TLSContexts(configuration.tls) } catch {
      Kvnode.end(ExitStatus.configuration, ["[TLS]: \(error)"])
    }
    UnresolvedPeer.look(configuration) { Kvnode.warn([$0]) }
    let drawn = drawnShares
    // Nodes that cannot hold what their weights ask for.
    if let drawn { Kvnode.warn(drawn.shares.lopsided(names: drawn.names)) }
    guard !isQuiet else { return }
    let standing: (contents: LayoutFile.Contents, disk: DiskID)?
    do throws(LayoutFile.Unusable) {
      standing = try LayoutFile.found(inDataDirectory: configuration.dataDirectory)
    } catch {
      Kvnode.end(ExitStatus.configuration, [error.description])
    }
    let layout = standing?.contents.record.known
    let topology = Cluster(
      configuration, layout: layout, disk: standing?.disk, known: standing?.contents.addresses ?? []
    ).topology
    let share =
      configuration.peers.isEmpty && layout == nil ? "every key" : "\(topology.ownSlotCount) of \(Slot.count) slots"
    let goesBy = layout.map { " by layout \($0.version)" } ?? (configuration.peers.isEmpty ? "" : " by its own list")
    Process.writeOutput(
      """
      configuration is valid
      node         \(configuration.nodeName), owns \(share)\(goesBy)
      peers        \(configuration.peers.isEmpty ? "none" : configuration.peers.map(\.description).joined(separator: ", "))
      placement    \(configuration.cluster.placement.rawValue)
      reads        \(configuration.cluster.reads.rawValue)
      fingerprint  \(topology.fingerprint)
      data         \(configuration.dataDirectory)

      """)
    if let access { Process.writeOutput("access       \(access)\n") }
    if let drawn {
      for (name, text) in zip(drawn.names, drawn.shares.percentages) {
        Process.writeOutput("share        \(name) \(text) of all values\n")
      }
    }
    tellStranded(topology, isDecided: layout != nil)
  }

  /// Who may do what, where that depends on who asks.
  private var access: String? {
    let access = configuration.access
    guard access.isGuarded else { return nil }
    let tokens = access.tokensFile == nil ? "no tokens" : Counted(access.tokens.count, "token").description
    return "\(tokens), without one: \(access.anonymous?.description ?? "all from this host, none from others")"
  }

  /// What each node is to hold, where that is drawn.
  private var drawnShares: (names: [String], shares: MemberShares)? {
    let wish = Wish(configuration)
    guard wish.rule == .rendezvous, !wish.hosts.isEmpty else { return nil }
    return (wish.names, MemberShares(members: wish.drawing(MD5.digest), copies: wish.copies))
  }

  /// Says how many of the values that are stored here others answer for: no request finds those.
  private func tellStranded(_ topology: Topology, isDecided: Bool) {
    guard isDecided || !configuration.peers.isEmpty else { return }
    do throws(SystemError) {
      let stranded = try Stranded.count(
        dataDirectory: configuration.dataDirectory, otherOwner: topology.otherOwner(of:))
      guard let stranded, stranded.valueCount > 0 else { return }
      guard stranded.total > 0 else {
        return Process.writeOutput("values       \(stranded.valueCount), none stranded\n")
      }
      let judge = isDecided ? "the layout" : "the peer list"
      // Where hosts have still to agree, values of a single one move; what lies elsewhere stays where it is.
      let consequence = isDecided ? "which no GET will find" : "which no GET finds until the nodes agree on a layout"
      Process.writeOutput(
        "values       \(stranded.valueCount), stranded \(stranded.total) (by \(judge) \(stranded.description)), "
          + "\(consequence)\n")
    } catch {
      Kvnode.warn(["the values in \(configuration.dataDirectory) cannot be counted: \(error)"])
    }
  }
}
