import KVCore
import KVLinux
import KVStore
import Logging
import Synchronization

/// What was found of values that belong to other nodes.
final class StrandedValues: Sendable {
  private let found = Mutex<Stranded?>(nil)

  /// The last count; nil before the first, and for a node on its own.
  var last: Stranded? {
    get { found.withLock { $0 } }
    set { found.withLock { $0 = newValue } }
  }
}

/// Counts the values that the peer list gives to other nodes: after the start and whenever the list has changed.
struct StrandedWatch: Worker {
  let store: Store
  let current: CurrentCluster
  let stranded: StrandedValues
  let logger: Logger
  let pace: Duration
  /// Whether what became others' has been looked through.
  let isSettled: @Sendable () -> Bool
  private var countedFor: String?

  init(
    store: Store, current: CurrentCluster, stranded: StrandedValues, logger: Logger, pace: Duration,
    isSettled: @escaping @Sendable () -> Bool = { true }
  ) {
    self.isSettled = isSettled
    self.store = store
    self.current = current
    self.stranded = stranded
    self.logger = logger
    self.pace = pace
  }

  mutating func step(lateBy _: Duration) async {
    let topology = current.value.topology
    // While values move, what lies where it does not belong is on its way.
    guard topology.layout?.next == nil, isSettled() else { return }
    let version = topology.layout.map { "layout \($0.version)" } ?? topology.fingerprint
    let list = "\(topology.nodeName) \(version)"
    guard list != countedFor else { return }
    // A node on its own owns all there is.
    if current.value.configuration.peers.isEmpty {
      (countedFor, stranded.last) = (list, nil)
      return
    }
    var count = Stranded()
    for shard in ValuePath.shards.indices {
      if Task.isCancelled { return }
      do throws(SystemError) {
        try count.add(shard: shard, of: store.layout.values, otherOwner: topology.otherOwner(of:))
      } catch {
        logger.warning("the stranded values cannot be counted: \(error)")
        return
      }
      await IOExecutor.pause()
    }
    countedFor = list
    stranded.last = count
    if count.total > 0 {
      logger.warning(
        "\(Counted(count.total, "stranded value")), which no GET finds: other nodes answer for the keys",
        metadata: ["owners": "\(count.description)"])
    }
  }
}
