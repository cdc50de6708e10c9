import KVCore
import KVLinux
import KVStore
import KVWire
import Logging
import Synchronization

/// One kvnode: its store, its view of the cluster and its connections.
package final class Node: Sendable {
  /// What each connection may hold open at once: its socket, one to the owner, a value's file and directory,
  /// and both ends of a pipe.
  private static let descriptorsPerConnection = 6
  /// What the process holds open besides.
  private static let descriptorsReserved = 128

  let logger: Logger
  let network: IOExecutor
  let disk: IOExecutor
  let store: Store
  let peers = PeerConnections()
  let peerWatch: PeerWatch
  let names: PeerNames
  let pipes = PipePool()
  let admission = Admission()
  let adminAdmission = Admission()
  let health = Health()
  let metrics = Metrics()
  let startedAt = Instant.now
  /// What this build calls itself.
  package let version: String
  let connectionsMax: Int
  private let currentCluster: Mutex<Cluster>

  /// Opens the store and starts the threads; serves nothing yet.
  package init(_ configuration: Configuration, version: String, openFilesMax: Int, logger: Logger) throws {
    self.logger = logger
    peerWatch = PeerWatch(logger: logger)
    self.version = version
    let processors = Process.processorCount
    network = try IOExecutor(name: "network", threadCount: max(2, processors))
    // Enough that a few slow disk calls leave threads for others; a thread costs little while it waits.
    disk = try IOExecutor(name: "disk", threadCount: max(8, 4 * processors))
    names = PeerNames(threads: try IOExecutor(name: "names", threadCount: 4))
    store = try Store(
      path: configuration.dataDirectory, durability: configuration.durability, minimumFree: configuration.minimumFree)
    connectionsMax = max(1, (openFilesMax - Self.descriptorsReserved) / Self.descriptorsPerConnection)
    currentCluster = Mutex(Cluster(configuration))
    if connectionsMax < configuration.limits.connectionsMax {
      logger.warning(
        "fewer connections than MaxConnections= fit the limit of open files",
        metadata: ["connections": "\(connectionsMax)", "open_files": "\(openFilesMax)"])
    }
  }

  /// The cluster as it is configured now.
  var cluster: Cluster { currentCluster.withLock { $0 } }

  /// `serve` for a thread that has nothing else to do.
  package func run(
    _ sockets: [ListeningSocket], signals: Signals, reload: @escaping @Sendable () -> Configuration?
  ) {
    network.runToEnd { await self.serve(sockets, signals: signals, reload: reload) }
  }

  /// Serves the sockets until a signal says stop, then lets running transfers finish within `DrainTimeout=`;
  /// a second stop signal ends them at once. What is cut off ends in a reset, never as if it were complete.
  ///
  /// `reload` reads the configuration anew, or says why not and returns nil.
  package func serve(
    _ sockets: [ListeningSocket], signals: Signals, reload: @escaping @Sendable () -> Configuration?
  ) async {
    await Supervision(node: self).begin()
    await withTaskGroup(of: Event.self) { events in
      events.addTask {
        await self.serve(sockets)
        return .served
      }
      events.addTask(executorPreference: network) {
        await Supervision(node: self).run()
        return .supervisionEnded
      }
      events.addTask(executorPreference: disk) {
        await StoreWatch(node: self).run()
        return .watchEnded
      }
      ServiceManager.notify("READY=1")
      events.addTask(executorPreference: network) { .signal(await signals.next()) }
      var isStopping = false
      for await event in events {
        switch event {
        case .signal(.reload):
          ServiceManager.notify("RELOADING=1", "MONOTONIC_USEC=\(ServiceManager.monotonicMicroseconds)")
          if let configuration = reload() { adopt(configuration) }
          ServiceManager.notify("READY=1")
        case .signal(.stop) where !isStopping:
          isStopping = true
          beginDrain()
          let deadline = Instant.after(cluster.configuration.limits.drainTimeout)
          events.addTask(executorPreference: network) { .drainEnded(await self.drain(until: deadline)) }
        case .signal(.stop), .drainEnded(.timedOut):
          logger.warning("transfers are cut off", metadata: ["connections": "\(admission.servedCount)"])
          events.cancelAll()
        case .served:
          events.cancelAll()
        case .signal(nil), .drainEnded, .supervisionEnded, .watchEnded: break
        }
        if case .signal(.some) = event {
          events.addTask(executorPreference: network) { .signal(await signals.next()) }
        }
      }
    }
    logger.info("stopped")
  }

  private enum Event: Sendable {
    case served
    case signal(Signals.Signal?)
    case drainEnded(IOExecutor.Wakeup)
    case supervisionEnded
    case watchEnded
  }

  private func serve(_ sockets: [ListeningSocket]) async {
    await withDiscardingTaskGroup { listeners in
      for socket in sockets {
        listeners.addTask(executorPreference: network) { await Listener(node: self, listening: socket).run() }
      }
    }
  }

  private func beginDrain() {
    logger.info("stopping", metadata: ["connections": "\(admission.servedCount)"])
    network.interruptWaits()
    disk.interruptWaits()
  }

  /// Asks the service manager for time, second by second, until the deadline or until all is served.
  private func drain(until deadline: Instant) async -> IOExecutor.Wakeup {
    let step = Duration.seconds(1)
    while Instant.now < deadline {
      ServiceManager.notify(
        "STOPPING=1", "EXTEND_TIMEOUT_USEC=5000000",
        "STATUS=Stopping: \(admission.servedCount) connections are finishing")
      let wakeup = await IOExecutor.current.wait(until: min(deadline, .after(step)))
      guard wakeup == .timedOut else { return wakeup }
    }
    return .timedOut
  }

  private func adopt(_ configuration: Configuration) {
    let old = cluster.configuration
    currentCluster.withLock { $0 = Cluster(configuration) }
    peers.clear()
    peerWatch.clear()
    names.clear()
    for (key, isChanged) in [
      ("Listen", old.listen != configuration.listen),
      ("AdminListen", old.adminListen != configuration.adminListen),
      ("DataDirectory", old.dataDirectory != configuration.dataDirectory),
      ("Durability", old.durability != configuration.durability),
      ("MinFree", old.minimumFree != configuration.minimumFree),
    ] where isChanged {
      logger.warning("\(key)= takes effect at the next start")
    }
    logger.info(
      "configuration reloaded",
      metadata: ["peers": "\(configuration.peers.count)", "fingerprint": "\(cluster.topology.fingerprint)"])
  }
}
