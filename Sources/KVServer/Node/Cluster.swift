import KVCluster
import KVCore
import KVLinux
import Synchronization

/// The configuration in force, and the cluster as it describes it.
package struct Cluster: Sendable {
  /// The configuration.
  package let configuration: Configuration
  /// Who is in the cluster, and who owns what.
  package let topology: Topology

  /// The view of a configuration that has been checked.
  package init(_ configuration: Configuration) {
    self.configuration = configuration
    topology = Topology(nodeName: configuration.nodeName, peers: configuration.peers, digest: MD5.digest)
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

  /// Puts another in its place and returns the old one.
  func replace(by cluster: Cluster) -> Cluster {
    stored.withLock { stored in
      let old = stored
      stored = cluster
      return old
    }
  }
}
