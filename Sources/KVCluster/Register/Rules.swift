/// The rules of the registers, each of which a simulation can leave out to show that it is needed. A node keeps all.
package struct Rules: OptionSet, Hashable, Sendable {
  package let rawValue: UInt32

  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// All of them.
  package static let all = Rules(rawValue: .max)

  /// A read is answered only from what a quorum reports at one ballot.
  package static let readsOnlyChosen = Rules(rawValue: 1 << 0)
  /// A condition fails only on what a quorum reports at one ballot.
  package static let refusesOnlyOnChosen = Rules(rawValue: 1 << 1)
  /// Agreement is on the ballot, not on the upload.
  package static let agreesOnBallots = Rules(rawValue: 1 << 2)
  /// A write that may have been accepted somewhere is never applied again.
  package static let triesOnce = Rules(rawValue: 1 << 3)
  /// A refusal proves that a write was not taken only if it says what is held instead, and a repeated ACCEPT is answered
  /// as the first was.
  package static let wantsProof = Rules(rawValue: 1 << 4)
  /// After a restart a disk takes part in no round at or below its horizon.
  package static let keepsHorizon = Rules(rawValue: 1 << 5)
  /// A deletion is forgotten only once the floor of its group is as high.
  package static let raisesFloor = Rules(rawValue: 1 << 6)
  /// A deletion is forgotten only where all owners hold it.
  package static let purgesFromAll = Rules(rawValue: 1 << 7)
  /// Only what is chosen is told to those who missed it.
  package static let teachesOnlyChosen = Rules(rawValue: 1 << 8)
  /// Votes are counted by disk.
  package static let countsDisks = Rules(rawValue: 1 << 9)
  /// An owner answers only those who go by the layout that it goes by.
  package static let fences = Rules(rawValue: 1 << 10)
  /// Whoever becomes an owner again starts with nothing.
  package static let rejoinsEmpty = Rules(rawValue: 1 << 11)
  /// A group is its new owners' only after a quorum of them has all of it.
  package static let switchesWhenSynced = Rules(rawValue: 1 << 12)
  /// A disk that has lost its contents is another member.
  package static let renumbersDisks = Rules(rawValue: 1 << 13)
  /// What a killed process may have left unsynced is synced before the next one votes.
  package static let syncsAtStart = Rules(rawValue: 1 << 14)
  /// A disk whose sync has failed votes no more.
  package static let stopsAtFailedSync = Rules(rawValue: 1 << 15)
  /// A value is accepted only where its bytes are.
  package static let acceptsOnlyBytes = Rules(rawValue: 1 << 16)
  /// The floor is durable before the file is gone.
  package static let raisesFloorFirst = Rules(rawValue: 1 << 17)
  /// A promise that is forgotten for want of room counts for its whole group.
  package static let remembersEvicted = Rules(rawValue: 1 << 18)
  /// An answer to an earlier request is none to the present one.
  package static let tellsRequestsApart = Rules(rawValue: 1 << 19)
  /// What was found to be decided, or forgettable, is told under the layout by which it was asked for.
  package static let datesLessons = Rules(rawValue: 1 << 20)
  /// After a restart everything at or below the horizon counts as forgotten of keys that are absent.
  package static let floorsAtHorizon = Rules(rawValue: 1 << 21)
  /// A deletion is forgotten only after all owners, holding it, have promised a ballot above all that they promised before.
  package static let promisesBeforePurge = Rules(rawValue: 1 << 23)
  /// A write that is handed to one owner after another is marked from the second on: the first may have made it.
  package static let marksHandovers = Rules(rawValue: 1 << 24)
  /// Whoever stays an owner is brought up to what the others have decided before it counts for the new list, as is who
  /// becomes one.
  package static let bringsAllUp = Rules(rawValue: 1 << 25)
  /// A request that comes once more is not carried out again while its value is in force, nor refused because of it.
  package static let recognisesRepeats = Rules(rawValue: 1 << 26)
  /// A request is recognised only in what is, or has been made, certain.
  package static let recognisesOnlyChosen = Rules(rawValue: 1 << 27)
  /// A request is recognised only where this attempt of it cannot be made any more, after what the client does next.
  package static let recognisesOnlyUntried = Rules(rawValue: 1 << 28)
  /// Losing the bytes of a value does not lose the vote for it.
  package static let keepsVotes = Rules(rawValue: 1 << 22)
}
