import KVCore
import KVDialect
import KVLinux
import KVStore
import KVWire
import Logging

/// One kvnode: makes its parts, gives each what it uses, starts and stops them. Nobody holds it.
package final class Node: Sendable {
  private let logger: Logger
  private let rooms: Rooms
  let current: CurrentCluster
  let admission = Admission()
  private let adminAdmission = Admission()
  let peers: Peers
  let pipes = PipePool()
  private let store: Store
  private let serve: Serve
  private let admin: AdminConnection
  private let selfCheck: SelfCheck
  private let metrics: Metrics
  private let health: Health
  private let statusLine: StatusLine
  private let configurationRecord: ConfigurationRecord
  private let lastCheck: LastCheck
  private let budget: DescriptorBudget
  let keeper: LayoutKeeper
  private let certificate: ServerCertificate
  private let stranded = StrandedValues()

  /// Monitors keep few connections; a stuck one must not take descriptors from clients.
  private static let adminLimits = Admission.Limits(clientsMax: 32, peersMax: 0)

  /// Opens the store and starts the threads; serves nothing yet.
  ///
  /// - Parameters:
  ///   - configuration: The checked configuration.
  ///   - version: What this build calls itself.
  ///   - openFilesMax: How many descriptors the process may have.
  ///   - logger: Where all that is to be told goes. It must not block.
  ///   - droppedLogLines: How many lines it has had to drop.
  ///   - stateDirectory: Where the node remembers its store, so that it serves no other in its place; nil to remember
  ///     nothing.
  ///   - rooms: The threads; its own where none are given.
  package init(
    _ configuration: Configuration, version: String, openFilesMax: Int, logger: Logger,
    droppedLogLines: @escaping @Sendable () -> Int = { 0 }, stateDirectory: String? = nil, rooms: Rooms? = nil
  ) throws {
    let interval = SelfCheck.interval
    let startedAt = Instant.now
    let rooms = try rooms ?? Rooms()
    let store = try Self.store(configuration, stateDirectory, rooms)
    let current = CurrentCluster(Cluster(configuration))
    let metrics = Metrics()
    let health = Health(ageMax: interval * 3)
    certificate = try ServerCertificate(configuration.tls, logger)
    let peers = Self.peers(current, certificate, metrics, rooms, logger)
    let record = ConfigurationRecord()
    keeper = try LayoutKeeper(store, current, stranded, peers, metrics, rooms, logger)
    let notices = Notices(
      configuration: record, store: store, stranded: stranded, certificate: { [certificate] in certificate.notice },
      progress: { [keeper] in keeper.layouts.progress })
    let lastCheck = LastCheck(stateDirectory: stateDirectory)
    let status = OwnStatus(
      version: version, startedAt: startedAt, store: store, health: health, admission: admission, notices: notices,
      layout: { [keeper] in keeper.layouts.report }, repair: keeper.repair.record)
    let own = OwnValues(store: store, disk: rooms.disk)
    let relay = Relay(peers: peers, pipes: pipes)
    let access = AccessControl()
    serve = Serve(
      current: current, own: own,
      shared: SharedValues(
        own: own, runner: keeper.runner, writes: keeper.writes, layouts: keeper.layouts, relay: relay),
      relay: relay,
      listing: Listing(
        store: store, peers: peers, disk: rooms.disk, network: rooms.network, decisions: keeper.runner), status: status,
      desk: keeper.desk, record: Record(metrics: metrics, current: current, logger: logger),
      access: access, certificate: certificate)
    admin = AdminConnection(
      health: health, notices: notices,
      metrics: MetricsPage(
        version: version, startedAt: startedAt, openFilesMax: openFilesMax, current: current, configuration: record,
        metrics: metrics, admission: admission, pipes: pipes, store: store, health: health, lastCheck: lastCheck,
        repair: keeper.repair.record, stranded: stranded, notices: notices, droppedLogLines: droppedLogLines,
        certificateEnd: { [certificate] in certificate.expiresAtSeconds }),
      status: ClusterStatus(own: status, peers: peers, network: rooms.network), orders: keeper.orders,
      current: current, access: access, certificate: certificate)
    let statusLine = StatusLine(
      current: current, store: store, health: health, admission: admission, notices: notices)
    selfCheck = SelfCheck(
      store: store, health: health, metrics: metrics, disk: rooms.disk, probe: rooms.probe,
      tell: { ServiceManager.notify("WATCHDOG=1", "STATUS=\(statusLine.text($0))") })
    budget = DescriptorBudget(openFilesMax: openFilesMax)
    (self.logger, self.rooms, self.current, self.peers, self.store) = (logger, rooms, current, peers, store)
    (self.metrics, self.health, self.statusLine) = (metrics, health, statusLine)
    (configurationRecord, self.lastCheck) = (record, lastCheck)
    warnOfFewConnections(configuration.limits, openFilesMax)
  }

  private static func peers(
    _ current: CurrentCluster, _ certificate: ServerCertificate, _ metrics: Metrics, _ rooms: Rooms, _ logger: Logger
  ) -> Peers {
    Peers(
      watch: PeerWatch(logger: logger), names: PeerNames(threads: rooms.outside), metrics: metrics,
      secret: { current.value.configuration.cluster.secret }, tls: { certificate.peerContext })
  }

  private static func store(
    _ configuration: Configuration, _ stateDirectory: String?, _ rooms: Rooms
  ) throws -> Store {
    do throws(StoreOpenError) {
      return try Store(
        path: configuration.dataDirectory, durability: configuration.durability,
        minimumFree: configuration.minimumFree, stateDirectory: stateDirectory, syncThreads: rooms.sync)
    } catch {
      throw error.needsAdministrator ? StoreRefusal(description: "\(error)") : error
    }
  }

  private func warnOfFewConnections(_ limits: Limits, _ openFilesMax: Int) {
    let clientsMax = budget.limits(connectionsMax: limits.connectionsMax).clientsMax
    guard clientsMax < limits.connectionsMax else { return }
    logger.warning(
      "fewer connections than MaxConnections= fit the limit of open files",
      metadata: ["connections": "\(clientsMax)", "open_files": "\(openFilesMax)"])
  }

  /// `serve` for a thread that has nothing else to do.
  package func run(
    _ sockets: [ListeningSocket], signals: Signals, reload: @escaping @Sendable () -> Reload
  ) {
    rooms.network.runToEnd { await self.serve(sockets, signals: signals, reload: reload) }
  }

  private enum Event: Sendable {
    case served
    case signal(Signals.Signal?)
    case reloaded(Reload)
    case drainEnded(IOExecutor.Wakeup)
    case upkeepEnded
  }

  /// Serves the sockets until a signal says stop, then lets running transfers finish within `DrainTimeout=`;
  /// a second stop signal ends them at once. What is cut off ends in a reset, never as if it were complete.
  ///
  /// `reload` reads the configuration anew, or says why it cannot be used.
  package func serve(
    _ sockets: [ListeningSocket], signals: Signals, reload: @escaping @Sendable () -> Reload
  ) async {
    await selfCheck.begin()
    await withTaskGroup(of: Event.self) { events in
      events.addTask {
        await self.listen(sockets)
        return .served
      }
      addUpkeep(to: &events)
      ServiceManager.notify("READY=1")
      events.addTask(executorPreference: rooms.network) { .signal(await signals.next()) }
      var isStopping = false
      for await event in events {
        switch event {
        case .signal(.reload):
          ServiceManager.notify("RELOADING=1", "MONOTONIC_USEC=\(ServiceManager.monotonicMicroseconds)")
          events.addTask(executorPreference: rooms.outside) { [certificate] in
            let result = reload()
            if case .loaded(let configuration) = result { certificate.take(configuration.tls) }
            return .reloaded(result)
          }
        case .reloaded(let result):
          take(result)
          events.addTask(executorPreference: rooms.disk) { [keeper] in
            keeper.layouts.reloaded()
            return .upkeepEnded
          }
          ServiceManager.notify("READY=1", "STATUS=\(statusLine.text(health.verdict))")
        case .signal(.stop) where !isStopping:
          isStopping = true
          beginDrain()
          let deadline = Instant.after(current.value.limits.drainTimeout)
          events.addTask(executorPreference: rooms.network) { .drainEnded(await self.drain(until: deadline)) }
        case .signal(.stop), .drainEnded(.timedOut):
          logger.warning("transfers are cut off", metadata: ["connections": "\(admission.servedCount)"])
          events.cancelAll()
        case .served: events.cancelAll()
        case .signal(nil), .drainEnded, .upkeepEnded: break
        }
        if case .signal(.some) = event {
          events.addTask(executorPreference: rooms.network) { .signal(await signals.next()) }
        }
      }
    }
    leaveStore()
    logger.info("stopped")
  }

  private func leaveStore() {
    do throws(SystemError) { try store.close() } catch {
      // The next start goes on from what was written before.
      logger.warning("the data directory's file 'node' cannot be written: \(error)")
    }
  }

  /// Serves the sockets alone, until the process stops.
  func listen(_ sockets: [ListeningSocket]) async {
    await withDiscardingTaskGroup { listeners in
      for socket in sockets {
        let listener = listener(socket)
        listeners.addTask(executorPreference: rooms.network) { await listener.run() }
      }
    }
  }

  private func listener(_ socket: ListeningSocket) -> Listener {
    switch socket.role {
    case .client:
      Listener(
        listening: socket, current: current, admission: admission, metrics: metrics,
        limits: { [budget] in budget.limits(connectionsMax: $0.limits.connectionsMax) }, threads: rooms.network,
        logger: logger, serve: { [serve] in await serve.connection($0, $1) })
    case .admin:
      Listener(
        listening: socket, current: current, admission: adminAdmission, metrics: metrics,
        limits: { _ in Self.adminLimits },
        threads: rooms.network, logger: logger, serve: { [admin] in await admin.serve($0, $1) })
    }
  }

  private func addUpkeep(to events: inout TaskGroup<Event>) {
    let pace = SelfCheck.interval
    addUpkeepOfStore(to: &events, pace)
    events.addTask(executorPreference: rooms.network) { [selfCheck] in
      await selfCheck.run(pace, .system)
      return .upkeepEnded
    }
    events.addTask(executorPreference: rooms.outside) { [certificate] in
      var worker = certificate
      await worker.run(.system)
      return .upkeepEnded
    }
    events.addTask(executorPreference: rooms.network) { [peers] in
      var worker = IdleConnections(pool: peers.pool, pace: pace)
      await worker.run(.system)
      return .upkeepEnded
    }
    events.addTask(executorPreference: rooms.network) { [peers, current, network = rooms.network] in
      var worker = PeerLook(peers: peers, current: current, network: network)
      await worker.run(.system)
      return .upkeepEnded
    }
    events.addTask(executorPreference: rooms.network) { [keeper] in
      await keeper.run()
      return .upkeepEnded
    }
  }

  private func addUpkeepOfStore(to events: inout TaskGroup<Event>, _ pace: Duration) {
    events.addTask(executorPreference: rooms.disk) { [store, lastCheck, logger, keeper] in
      var worker = QuarantineWatch(
        store: store, lastCheck: lastCheck, logger: logger, pace: pace, damaged: { keeper.runner.missed.note($0) })
      await worker.begin()
      await worker.run(.system)
      return .upkeepEnded
    }
    events.addTask(executorPreference: rooms.disk) { [store, current, stranded, logger, keeper] in
      var worker = StrandedWatch(
        // The first layout waits for the count.
        store: store, current: current, stranded: stranded, logger: logger, pace: .seconds(1),
        isSettled: { keeper.layouts.isSwept })
      await worker.step(lateBy: .zero)
      await worker.run(.system)
      return .upkeepEnded
    }
    events.addTask(executorPreference: rooms.disk) { [store, logger] in
      var worker = HorizonKeeper(votes: store.votes, logger: logger, pace: pace)
      await worker.run(.system)
      return .upkeepEnded
    }
    events.addTask(executorPreference: rooms.disk) { [store] in
      var worker = StaleUploads(store: store)
      await worker.run(.system)
      return .upkeepEnded
    }
    events.addTask(executorPreference: rooms.disk) { [store, logger] in
      // Listings wait for it.
      var worker = IndexKeeper(store: store, logger: logger, pace: .seconds(1))
      await worker.step(lateBy: .zero)
      await worker.run(.system)
      return .upkeepEnded
    }
  }

  private func beginDrain() {
    logger.info("stopping", metadata: ["connections": "\(admission.servedCount)"])
    rooms.network.interruptWaits()
    rooms.disk.interruptWaits()
  }

  /// Asks the service manager for time, second by second, until the deadline or until all is served.
  private func drain(until deadline: Instant) async -> IOExecutor.Wakeup {
    let step = Duration.seconds(1)
    while Instant.now < deadline {
      ServiceManager.notify(
        "STOPPING=1", "EXTEND_TIMEOUT_USEC=5000000",
        "STATUS=Stopping: \(Self.finishing(admission.servedCount))")
      let wakeup = await IOExecutor.current.wait(until: min(deadline, .after(step)))
      guard wakeup == .timedOut else { return wakeup }
    }
    return .timedOut
  }

  private static func finishing(_ connectionCount: Int) -> String {
    "\(Counted(connectionCount, "connection is", "connections are")) finishing"
  }

  private func take(_ result: Reload) {
    switch result {
    case .loaded(let configuration):
      adopt(configuration)
      configurationRecord.loaded()
    case .refused(let reason): configurationRecord.refused(reason)
    }
  }

  private func adopt(_ configuration: Configuration) {
    let old = current.replace(by: configuration)
    let cluster = current.value
    peers.clear()
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

/// Why a store is not served until an administrator has said what is right, in one line.
package struct StoreRefusal: Error, CustomStringConvertible {
  /// The line.
  package let description: String
}

/// Closes connections to other nodes that have been idle too long.
private struct IdleConnections: Worker {
  let pool: PeerPool
  let pace: Duration

  mutating func step(lateBy _: Duration) async { pool.closeExpired() }
}
