/// The number that a layout gives to one disk, and never again to another. Votes are counted by it: what a host is called
/// says nothing about what its disk remembers.
package struct Member: Hashable, Comparable, Sendable {
  /// The number; 0 is nobody's.
  package let number: UInt16

  package init(_ number: UInt16) { self.number = number }

  /// By number.
  package static func < (left: Member, right: Member) -> Bool { left.number < right.number }
}

/// The rank of a round (Lamport's ballot number). No two rounds ever have the same one, for each counts up from all that
/// its member has seen and bears that member's number.
package struct Ballot: Hashable, Comparable, Sendable {
  /// Microseconds of the wall clock, or one more than the highest seen where that is higher. A wrong clock makes rounds
  /// slower, never wrong.
  package let counter: UInt64
  /// Whose round it is.
  package let member: Member

  package init(counter: UInt64, member: Member) {
    self.counter = counter
    self.member = member
  }

  /// Below every ballot: that of what was never written.
  package static let none = Ballot(counter: 0, member: Member(0))

  /// The highest of a counter.
  package static func last(of counter: UInt64) -> Ballot { Ballot(counter: counter, member: Member(.max)) }

  /// By counter, then by member.
  package static func < (left: Ballot, right: Ballot) -> Bool {
    (left.counter, left.member.number) < (right.counter, right.member.number)
  }
}

/// Names the bytes of one upload. Equal names mean equal bytes, wherever they lie.
package struct UploadID: Hashable, Sendable {
  /// The member that took the upload in.
  package let member: Member
  /// Unique at that member.
  package let counter: UInt64

  package init(member: Member, counter: UInt64) {
    self.member = member
    self.counter = counter
  }
}
