import KVCore

/// What an administrator has decided about the layout beside what the files ask for.
package enum LayoutOrder: Hashable, Sendable {
  /// The change to what was wished so is gone back on, and does not begin again.
  case callOff(Wish)
  /// These members are gone for good.
  case giveUp(Set<Member>)

  /// Why it cannot be.
  package struct Void: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
  }

  /// The order to call off what is under way.
  package static func callingOff(_ layout: Layout) throws(Void) -> LayoutOrder {
    guard let next = layout.next else { throw Void("no change is under way") }
    // To where somebody was given up nothing can go; then it may be turned round again.
    guard layout.current.wish != layout.refused || layout.leadsIntoLoss else {
      throw Void("the change is being gone back on already")
    }
    guard !layout.leadsAway else { throw Void("a host was given up that the list has to which this would go back") }
    guard next.wish != layout.current.wish else { throw Void("a disk that is replaced cannot be called off") }
    return .callOff(next.wish)
  }

  /// The order to give up hosts. What they hold is lost, so nobody is given up of whom there is a sign of life.
  package static func givingUp(
    _ names: [String], of layout: Layout, heard: [Hello], own: Hello
  ) throws(Void) -> LayoutOrder {
    guard layout.current.copies == 1 else { throw Void(noLossOfCopies) }
    var lost: Set<Member> = []
    for name in names {
      let disks = layout.members.filter { $0.name == name }
      guard !disks.isEmpty else { throw Void("\(name) is not in the layout") }
      let silent = disks.filter { disk in own.disk != disk.disk && !heard.contains { $0.disk == disk.disk } }
      guard !silent.isEmpty else { throw Void("\(name) has been heard of lately: stop it first") }
      lost.formUnion(silent.map(\.member))
    }
    let gone = layout.lost.union(lost)
    guard layout.lists.allSatisfy({ list in list.members.contains { !gone.contains($0.member) } }) else {
      throw Void("nobody would be left")
    }
    return .giveUp(lost)
  }

  /// Of values that several hosts keep, those that are left may not know what the others have decided, and no simulation
  /// has shown yet by which rules they can be gone by.
  package static let noLossOfCopies =
    "several copies are kept of each value, so no host need be given up: take one that is gone for good out of [Peers], "
    + "or start it with an empty data directory; what lost most of its copies can only be got back with a disk that has it"

  /// The layout by which it is carried out; nil where it has been, or has nothing to be about any more.
  package func following(_ layout: Layout, _ ballot: Ballot) -> Layout? {
    switch self {
    case .callOff(let wish):
      layout.next?.wish == wish ? layout.reversing(refusing: wish, proposal: ballot) : nil
    case .giveUp(let members):
      losing(members.intersection(layout.members.map(\.member)).subtracting(layout.lost), layout, ballot)
    }
  }

  private func losing(_ members: Set<Member>, _ layout: Layout, _ ballot: Ballot) -> Layout? {
    members.isEmpty ? nil : layout.losing(members, proposal: ballot)
  }

  /// Whose votes are not waited for.
  package var lost: Set<Member> {
    switch self {
    case .callOff: []
    case .giveUp(let members): members
    }
  }
}
