import KVCore

/// What a disk says of a key when what it has is compared with what another has.
package struct KeyState: Hashable, Sendable {
  package let key: Key
  package let ballot: Ballot
  package let hasBytes: Bool

  package init(key: Key, ballot: Ballot, hasBytes: Bool) {
    (self.key, self.ballot, self.hasBytes) = (key, ballot, hasBytes)
  }

  /// Whether a disk that holds this of the key lacks something that the other one has.
  package func isAhead(of own: Held?) -> Bool {
    guard let own else { return true }
    return own.ballot < ballot || (own.ballot == ballot && hasBytes && !own.hasBytes)
  }
}

/// What a disk has of the slots of a group, in a few bytes each: two disks that hold the same of a slot have the same number
/// for it.
package struct GroupDigest: Hashable, Sendable {
  /// How many slots a group has.
  package static let slotCount = Slot.count / Layout.groupCount

  /// A number for each slot, 0 where nothing is.
  package private(set) var slots: [UInt64]

  /// Of a group without keys.
  package init() { slots = Array(repeating: 0, count: Self.slotCount) }

  /// As another host has told it; nil where it has not as many slots.
  package init?(slots: [UInt64]) {
    guard slots.count == Self.slotCount else { return nil }
    self.slots = slots
  }

  /// Takes in what is held of a key. In which order keys are taken in makes no difference.
  package mutating func add(_ state: KeyState, _ slot: Slot) { slots[slot.number % Self.slotCount] ^= Self.hash(state) }

  /// Those of the slots of which the other holds something else.
  package func differing(from other: GroupDigest, among wanted: SlotSet) -> SlotSet {
    var differing = SlotSet()
    for place in slots.indices where wanted.contains(place) && slots[place] != other.slots[place] {
      differing.insert(place)
    }
    return differing
  }

  /// FNV-1a (Fowler, Noll, Vo) of 64 bits, and the last step of SplitMix64 behind it, so that each bit depends on all.
  private static func hash(_ state: KeyState) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func take(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    for byte in state.key.bytes { take(byte) }
    for shift in stride(from: 0, to: 64, by: 8) { take(UInt8(truncatingIfNeeded: state.ballot.counter >> shift)) }
    take(UInt8(truncatingIfNeeded: state.ballot.member.number))
    take(UInt8(truncatingIfNeeded: state.ballot.member.number >> 8))
    take(state.hasBytes ? 1 : 0)
    hash = (hash ^ hash >> 30) &* 0xbf58_476d_1ce4_e5b9
    hash = (hash ^ hash >> 27) &* 0x94d0_49bb_1331_11eb
    return hash ^ hash >> 31
  }
}

/// Some of the slots of a group.
package struct SlotSet: Hashable, Sendable {
  private var words: [UInt64]

  /// None.
  package init() { words = Array(repeating: 0, count: GroupDigest.slotCount / 64) }

  package var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

  /// By its place in its group.
  package func contains(_ place: Int) -> Bool { words[place / 64] >> (place % 64) & 1 == 1 }

  package func contains(_ slot: Slot) -> Bool { contains(slot.number % GroupDigest.slotCount) }

  package mutating func insert(_ place: Int) { words[place / 64] |= 1 << (place % 64) }

  func write(to writer: inout ByteWriter) { for word in words { writer.write(word) } }

  init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    self.init()
    for index in words.indices { words[index] = try reader.integer64() }
  }
}

/// A question about what a disk holds of a group, from somebody who goes by a version of the layout.
package struct GroupQuestion: Hashable, Sendable {
  package let version: UInt64
  package let epoch: UInt64
  package let group: UInt8
  /// Who is asked. Another disk may have its host's name or address by now.
  package let member: Member

  package init(version: UInt64, epoch: UInt64, group: UInt8, member: Member) {
    (self.version, self.epoch, self.group, self.member) = (version, epoch, group, member)
  }

  func write(to writer: inout ByteWriter) {
    writer.write(version)
    writer.write(epoch)
    writer.write(group)
    writer.write(member.number)
  }

  init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    version = try reader.integer64()
    epoch = try reader.integer64()
    group = try reader.byte()
    member = Member(try reader.integer16())
  }
}

extension KeyState {
  func write(to writer: inout ByteWriter) {
    writer.write(key.bytes)
    writer.write(ballot)
    writer.write(hasBytes)
  }

  init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    key = try reader.key()
    ballot = try reader.ballot()
    hasBytes = try reader.bool()
  }
}
