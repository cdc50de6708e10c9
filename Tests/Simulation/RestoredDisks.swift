import KVCluster
import KVCore

/// Disks that are put back to what a backup had, in the world of the layout's register.
struct RestoredDisks {
  /// A host that asks for what its disk has forgotten.
  struct Renewer {
    let ballot: Ballot
    let host: Int
    let boot: Int
    var renewal: LayoutRenewal
  }

  /// A copy of what a disk had.
  struct Backup {
    let record: LayoutAcceptor.Record
    let counter: UInt64
  }

  var renewers: [Renewer] = []
  var backups: [Int: Backup] = [:]
  /// The host whose disk was put back, and that has no vote.
  var putBack: Int?
}

extension RegisterWorld {
  func backUp(_ host: Int) {
    guard !gone.contains(host), restored.putBack != host else { return }
    restored.backups[host] = RestoredDisks.Backup(record: acceptors[host].record, counter: counters[host])
  }

  /// A disk is put back to what it once was, one at a time, where somebody remembers that it had come further. What one has
  /// decided all alone, nobody else can tell.
  func restore(_ host: Int) {
    guard let backup = restored.backups[host], restored.putBack == nil, !gone.contains(host), !mayDecideAlone,
      rememberer(of: host) != nil
    else { return }
    counts[.restoredDisks] += 1
    boots[host] += 1
    counters[host] = backup.counter
    acceptors[host] = LayoutAcceptor(backup.record, horizon: backup.counter, rules: rules)
    if rules.contains(.renewsVotes) { restored.putBack = host }
  }

  private var mayDecideAlone: Bool {
    acceptors.contains { acceptor in
      [acceptor.record.known, acceptor.record.layout].compactMap(\.self).contains { layout in
        (layout.lists + layout.predecessors).contains { list in
          list.members.count { !layout.lost.contains($0.member) } < 2
        }
      }
    }
  }

  /// Another host that goes by a layout which has the disk, or has accepted one.
  private func rememberer(of host: Int) -> Int? {
    let others = (0..<Self.hostCount).filter { other in
      let record = acceptors[other].record
      return other != host && reaches(host, other)
        && [record.known, record.layout].contains { $0?.member(of: disks[host]) != nil }
    }
    return others.isEmpty ? nil : random.pick(others)
  }

  /// The host asks for what it has forgotten. No clock is so far behind that a ballot were below those of before.
  func renew() {
    guard let host = restored.putBack, let other = rememberer(of: host) else { return }
    if let known = acceptors[other].record.known { _ = acceptors[host].learn(known) }
    let record = acceptors[host].record
    guard let known = record.known else { return }
    counters[host] = (counters.max() ?? 0) + 1
    let ballot = Ballot(counter: counters[host], member: Member(UInt16(host + 1)))
    let renewal = LayoutRenewal(
      at: ballot, of: disks[host], known: [known] + [record.layout].compactMap { $0 }, rules: rules)
    restored.renewers.append(
      RestoredDisks.Renewer(ballot: ballot, host: host, boot: boots[host], renewal: renewal))
    let number = restored.renewers.count - 1
    perform(restored.renewers[number].renewal.start(), renewal: number)
  }

  func perform(_ effects: [LayoutRenewal.Effect], renewal number: Int) {
    let renewer = restored.renewers[number]
    for effect in effects {
      switch effect {
      case .prepare(let members): send(.restore(.ask(renewal: number, renewer.ballot)), from: renewer.host, to: members)
      case .failed: break
      case .renewed(let accepted, let layout):
        guard restored.putBack == renewer.host else { continue }
        acceptors[renewer.host].renew(at: renewer.ballot, accepted: accepted, layout)
        restored.putBack = nil
      }
    }
  }

  func take(_ message: RestoreMessage, at host: Int) {
    switch message {
    case .ask where restored.putBack == host: break
    case .ask(let renewal, let ballot):
      counters[host] = max(counters[host], ballot.counter)
      let answer = RestoreMessage.tell(renewal: renewal, acceptors[host].prepare(ballot), from: disks[host])
      bag.append((host, restored.renewers[renewal].host, .restore(answer)))
    case .tell(let number, let answer, let source):
      guard boots[host] == restored.renewers[number].boot else { return }
      perform(restored.renewers[number].renewal.step(.answer(answer, from: source)), renewal: number)
    }
  }
}

/// What is said about the votes of a disk that was put back.
enum RestoreMessage {
  case ask(renewal: Int, Ballot)
  case tell(renewal: Int, LayoutAnswer, from: DiskID)
}
