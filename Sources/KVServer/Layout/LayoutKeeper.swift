import KVLinux
import KVStore
import Logging

/// All that sees to it that the nodes go by one layout, and that values are where it says.
struct LayoutKeeper: Sendable {
  let layouts: Layouts
  let desk: MessageDesk
  let runner: RoundRunner
  let writes: Writes
  let orders: LayoutOrders
  let repair: RepairLoop
  private let exchange: LayoutExchange
  private let proposer: LayoutProposer
  private let mover: GroupMover
  private let sweeper: GroupSweeper
  private let rooms: Rooms

  init(
    _ store: Store, _ current: CurrentCluster, _ stranded: StrandedValues, _ peers: Peers, _ metrics: Metrics,
    _ rooms: Rooms, _ logger: Logger
  ) throws {
    let layouts = try Layouts(store, current, stranded, logger: logger)
    let calls = RegisterCalls(
      layouts: layouts, registers: Registers(store), store: store, peers: peers, disk: rooms.disk,
      missed: MissedKeys())
    let errands = Errands()
    let runner = RoundRunner(
      calls: calls, store: store, network: rooms.network, errands: errands, batches: ReadBatches(errands: errands))
    writes = Writes(layouts: layouts, runner: runner)
    let desk = MessageDesk(layouts: layouts, calls: calls, writes: writes, disk: rooms.disk, network: rooms.network)
    (self.layouts, self.runner, self.desk, self.rooms) = (layouts, runner, desk, rooms)
    exchange = LayoutExchange(layouts: layouts, desk: desk, disk: rooms.disk)
    proposer = LayoutProposer(
      layouts: layouts, store: store, peers: peers, desk: desk, disk: rooms.disk, network: rooms.network)
    orders = LayoutOrders(layouts: layouts, proposer: proposer)
    mover = GroupMover(
      layouts: layouts,
      keys: KeyMover(
        calls: calls, runner: runner, pace: MovePace(current, metrics) { metrics.countMoved(byteCount: $0) },
        metrics: metrics), desk: desk,
      network: rooms.network)
    sweeper = GroupSweeper(layouts: layouts, calls: calls, disk: rooms.disk)
    repair = RepairLoop(runner, current, metrics, rooms, logger)
  }

  /// Works until the task is cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask(executorPreference: rooms.network) { [runner, rooms] in await runner.errands.run(on: rooms.network)
      }
      group.addTask(executorPreference: rooms.network) { [exchange] in await exchange.run() }
      group.addTask(executorPreference: rooms.network) { [proposer] in await proposer.run() }
      group.addTask(executorPreference: rooms.network) { [mover] in await mover.run() }
      group.addTask(executorPreference: rooms.network) { [sweeper] in await sweeper.run() }
      group.addTask(executorPreference: rooms.network) { [repair] in await repair.run() }
    }
  }
}
