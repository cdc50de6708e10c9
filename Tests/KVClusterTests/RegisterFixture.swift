import KVCore

@testable import KVCluster

/// The key that the tests of a register are about, and another one of its group.
let sampleKey = key("a")
let otherKey = key("b")

private func key(_ text: String) -> Key {
  guard let key = try? Key(Array(text.utf8)) else { preconditionFailure("a letter is a key") }
  return key
}

/// A round's rank; of member 1 where nothing is said.
func ballot(_ counter: UInt64, _ member: UInt16 = 1) -> Ballot { Ballot(counter: counter, member: Member(member)) }

/// The descriptor of an upload of member 1, of as many bytes as its number where nothing else is said.
func value(_ upload: UInt64, bytes: UInt64? = nil, request: UInt64? = nil) -> Descriptor {
  descriptor(upload, .value, bytes: bytes, request: request)
}

func deletion(_ upload: UInt64) -> Descriptor { descriptor(upload, .deletion) }

private func descriptor(
  _ upload: UInt64, _ kind: Descriptor.Kind, bytes: UInt64? = nil, request: UInt64? = nil
) -> Descriptor {
  Descriptor(
    upload: UploadID(member: Member(1), counter: upload), kind: kind, valueBytes: Int(bytes ?? upload),
    committedAtNanoseconds: 0,
    checksum: ValueChecksum(high: 0, low: bytes ?? upload), request: request.map { RequestToken(number: $0) })
}

func held(_ counter: UInt64, _ descriptor: Descriptor, hasBytes: Bool = true) -> Held {
  Held(ballot: ballot(counter), descriptor: descriptor, hasBytes: hasBytes)
}

func testimony(_ held: Held?, floor: UInt64 = 0) -> Testimony {
  Testimony(held: held, floor: floor == 0 ? .none : ballot(floor))
}

func members(_ numbers: UInt16...) -> [Member] { numbers.map { Member($0) } }

/// Three owners.
let threeOwners = View(epoch: 1, owners: members(1, 2, 3))

/// A list of hosts, each with a disk and a member of the same number.
func memberList(_ numbers: [UInt16], copies: Int = 3) -> MemberList {
  MemberList(
    numbers.map {
      LayoutMember(member: Member($0), name: "node\($0)", disk: DiskID(high: 0, low: UInt64($0)))
    }, copies: copies)
}

func disk(_ number: UInt64) -> DiskID { DiskID(high: 0, low: number) }
