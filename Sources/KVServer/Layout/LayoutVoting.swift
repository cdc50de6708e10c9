import KVCluster
import KVCore
import KVHTTP
import KVLinux
import KVStore
import Logging
import Synchronization

/// Voting about it. On the disk threads.
extension Layouts {
  func prepare(_ ballot: Ballot) -> LayoutAnswer? {
    guard mayVote, reach(ballot) else { return nil }
    return changing.withLock { _ in state.withLock { $0.acceptor.prepare(ballot) } }
  }

  func accept(_ ballot: Ballot, _ layout: Layout) -> LayoutAnswer? {
    guard mayVote, reach(ballot), known.map({ $0.cluster == layout.cluster }) ?? unlisted.isEmpty,
      !givesUpTheLiving(layout)
    else { return nil }
    return changing.withLock { _ in
      // Nothing counts before it is on the disk.
      var acceptor = state.withLock { $0.acceptor }
      let answer = acceptor.accept(ballot, layout)
      guard answer == .done else { return answer }
      guard let file = write(acceptor) else { return nil }
      state.withLock { ($0.acceptor, $0.file) = (acceptor, file) }
      return answer
    }
  }

  /// What this disk knows of the layout, decided or not.
  var record: LayoutAcceptor.Record { state.withLock { $0.file.record } }

  /// The disk votes again: it has promised the ballot, and others have said what it may have accepted. Where that cannot be
  /// written, it does not, and asks anew.
  func renew(at ballot: Ballot, accepted: Ballot, _ layout: Layout?, after remembered: DiskHistory) {
    let isWritten = changing.withLock { _ in
      var acceptor = state.withLock { $0.acceptor }
      acceptor.renew(at: ballot, accepted: accepted, layout)
      guard let file = write(acceptor) else { return false }
      state.withLock { ($0.acceptor, $0.file) = (acceptor, file) }
      return true
    }
    guard isWritten else { return }
    do throws(SystemError) { try store.votes.renew(after: remembered) } catch { return }
    heard.noteRenewed()
    logger.notice(
      "the data directory had gone back; all others have been asked for what it had forgotten, and it votes again")
  }

  /// Whether a layout gives somebody up who is there.
  private func givesUpTheLiving(_ layout: Layout) -> Bool {
    let given = layout.lost.subtracting(known?.lost ?? [])
    let living = heard.lately(within: Self.signOfLife).map(\.disk) + [ownDisk]
    return layout.members.contains { given.contains($0.member) && living.contains($0.disk) }
  }

  private func reach(_ ballot: Ballot) -> Bool {
    do throws(SystemError) {
      try store.votes.reach(ballot.counter)
      return true
    } catch {
      return false
    }
  }

  /// Writes what the disk has voted and knows; nil where that fails.
  func write(_ acceptor: LayoutAcceptor) -> LayoutFile.Contents? {
    let disks = [acceptor.record.known, acceptor.record.layout].flatMap { $0?.members.map(\.disk) ?? [] }
    heard.forgetAll(but: Set(disks))
    // A file with more could not be read again.
    let contents = LayoutFile.Contents(
      record: acceptor.record, addresses: Array(addresses(acceptor.record).prefix(LayoutFile.hostsMax)),
      remembered: Array(heard.remembered.prefix(LayoutFile.hostsMax)))
    do throws(SystemError) {
      try LayoutFile.write(contents, in: store.layout.root)
    } catch {
      logger.error("the data directory's file 'layout' cannot be written, so this node does not vote: \(error)")
      return nil
    }
    return contents
  }

  /// Where the hosts of the layout are to be found: the peer list decides, and what it does not name stays as it was.
  private func addresses(_ record: LayoutAcceptor.Record) -> [Peer] {
    let listed = current.value.configuration.peers
    let (earlier, companions) = state.withLock { ($0.file.addresses, $0.companions.hosts) }
    if record == LayoutAcceptor.Record() { return companions }
    let names = Set(((record.known?.members ?? []) + (record.layout?.members ?? [])).map(\.name))
    var known: Set<String> = []
    return (listed + earlier + toldAddresses).filter { names.contains($0.name) && known.insert($0.name).inserted }
  }
}
