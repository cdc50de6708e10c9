import KVCluster
import KVCore
import KVLinux
import Synchronization

/// The configuration in force, and the cluster as it describes it. Each connection holds it, so it is shared.
package final class Cluster: Sendable {
  /// The configuration.
  package let configuration: Configuration
  /// Who is in the cluster, and who owns what.
  package let topology: Topology

  /// The view of a configuration that has been checked, and of the layout that the nodes have decided on.
  package init(_ configuration: Configuration, layout: Layout? = nil, disk: DiskID? = nil, known: [Peer] = []) {
    self.configuration = configuration
    topology = Topology(
      nodeName: configuration.nodeName, peers: configuration.peers, digest: MD5.digest, layout: layout, ownDisk: disk,
      known: known)
  }

  /// The limits in force.
  var limits: Limits { configuration.limits }
}

/// The cluster as it is now: a reload puts another in its place, and whoever serves a request keeps the one it began with.
final class CurrentCluster: Sendable {
  private let stored: Mutex<Cluster>

  init(_ cluster: Cluster) { stored = Mutex(cluster) }

  /// The cluster as it is configured now.
  var value: Cluster { stored.withLock { $0 } }

  /// Takes up another configuration and returns the old one. The layout stays.
  func replace(by configuration: Configuration) -> Configuration {
    stored.withLock { stored in
      let old = stored
      stored = Cluster(
        configuration, layout: old.topology.layout, disk: old.topology.ownDisk, known: old.topology.others)
      return old.configuration
    }
  }

  /// Goes by another layout.
  func take(_ layout: Layout, disk: DiskID, known: [Peer]) {
    stored.withLock { $0 = Cluster($0.configuration, layout: layout, disk: disk, known: known) }
  }
}
