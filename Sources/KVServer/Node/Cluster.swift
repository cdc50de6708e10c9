import KVCluster
import KVCore
import KVLinux

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
