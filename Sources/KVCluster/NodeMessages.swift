import KVCore

/// What one node asks another about the layout and about keys, beside what clients ask too.
package enum NodeQuestion: Hashable, Sendable {
  /// How do you do? This is how I do.
  case hello(Hello)
  case prepareLayout(Ballot)
  case acceptLayout(Ballot, Layout)
  /// This was decided.
  case learnLayout(Layout)
  case register(RegisterQuestion)
  /// What do you hold of the group, behind that key?
  case held(HeldQuestion)
  /// Decide about this write, which is asked once.
  case write(WriteOrder)
  /// What do you hold of the group's slots, in short?
  case digests(GroupQuestion)
  /// What do you hold of these slots, behind that key?
  case states(GroupQuestion, SlotSet, behind: Key?)
  /// You hold something of the key that the other owners do not.
  case look(Key)
  /// What do you hold of these keys?
  case reads([ReadQuestion])
}

/// A question about what is held of a key, which changes nothing: such are put together.
package struct ReadQuestion: Hashable, Sendable {
  /// How many are put together at most.
  package static let countMax = 64

  /// The epoch of the key's group.
  package let epoch: UInt64
  package let key: Key

  package init(epoch: UInt64, key: Key) { (self.epoch, self.key) = (epoch, key) }
}

/// The answer to one of them.
package enum ReadAnswer: Hashable, Sendable {
  case register(RegisterAnswer, Member)
  /// The one who was asked goes by another layout, of that version.
  case otherLayout(UInt64)
  /// Somebody is at the key: it is to be asked about alone.
  case busy
}

/// A request about a key, from somebody who goes by a version of the layout.
package struct RegisterQuestion: Hashable, Sendable {
  package let version: UInt64
  /// The epoch of the key's group.
  package let epoch: UInt64
  package let key: Key
  package let request: RegisterRequest
  /// Who has the bytes, where the request is about some.
  package let source: Member?
  /// The bytes themselves, where they are few.
  package let content: SmallContent?

  package init(
    version: UInt64, epoch: UInt64, key: Key, request: RegisterRequest, source: Member?, content: SmallContent? = nil
  ) {
    (self.version, self.epoch, self.key, self.request) = (version, epoch, key, request)
    (self.source, self.content) = (source, content)
  }
}

/// A value that is so small that it goes along with what is asked about it.
package struct SmallContent: Hashable, Sendable {
  package static let bytesMax = 64 << 10

  package let bytes: [UInt8]
  /// What is kept beside them, as the attribute has it.
  package let fields: [UInt8]

  package init(bytes: [UInt8], fields: ValueFields) {
    precondition(bytes.count <= Self.bytesMax, "it is small")
    (self.bytes, self.fields) = (bytes, fields.encoded)
  }
}

package struct HeldQuestion: Hashable, Sendable {
  package let version: UInt64
  package let epoch: UInt64
  package let group: UInt8
  package let behind: Key?
  /// Who asks: what it is to own is what it wants to know of.
  package let member: Member
  /// Who is asked. Another disk may have its host's name or address by now.
  package let source: Member

  package init(version: UInt64, epoch: UInt64, group: UInt8, behind: Key?, member: Member, source: Member) {
    (self.version, self.epoch, self.group, self.behind) = (version, epoch, group, behind)
    (self.member, self.source) = (member, source)
  }
}

package enum NodeAnswer: Hashable, Sendable {
  /// How the other does; the layout that is in force where the one who asked goes by an older one; and what is remembered
  /// of the asker's disk where that had come further than it has now.
  case hello(Hello, Layout?, DiskHistory?)
  case layout(LayoutAnswer, DiskID)
  case noted
  case register(RegisterAnswer, Member)
  case held([HeldKey], isLast: Bool)
  case written(WriteReport)
  case digests(GroupDigest)
  case states([KeyState], isLast: Bool)
  /// As many as were asked, in their order.
  case reads([ReadAnswer])
  /// The one who was asked goes by another layout, of that version.
  case otherLayout(UInt64)
}

/// How they are written.
extension NodeQuestion {
  /// No question is longer.
  package static let writtenBytesMax = 2 * Layout.writtenBytesMax

  package var bytes: [UInt8] {
    var writer = ByteWriter()
    switch self {
    case .hello(let hello):
      writer.write(UInt8(1))
      hello.write(to: &writer)
    case .prepareLayout(let ballot):
      writer.write(UInt8(2))
      writer.write(ballot)
    case .acceptLayout(let ballot, let layout):
      writer.write(UInt8(3))
      writer.write(ballot)
      layout.write(to: &writer)
    case .learnLayout(let layout):
      writer.write(UInt8(4))
      layout.write(to: &writer)
    case .register(let question):
      writer.write(UInt8(5))
      question.write(to: &writer)
    case .held(let question):
      writer.write(UInt8(6))
      question.write(to: &writer)
    case .write(let order):
      writer.write(UInt8(7))
      order.write(to: &writer)
    case .digests(let question):
      writer.write(UInt8(8))
      question.write(to: &writer)
    case .states(let question, let slots, let behind):
      writer.write(UInt8(9))
      question.write(to: &writer)
      slots.write(to: &writer)
      writer.write(behind) { $0.write($1.bytes) }
    case .look(let key):
      writer.write(UInt8(10))
      writer.write(key.bytes)
    case .reads(let questions):
      writer.write(UInt8(11))
      writer.write(questions) { writer, question in
        writer.write(question.epoch)
        writer.write(question.key.bytes)
      }
    }
    return writer.bytes
  }

  package init(_ bytes: [UInt8]) throws(ByteReader.Malformed) {
    var reader = ByteReader(bytes)
    switch try reader.byte() {
    case 1: self = .hello(try Hello(reading: &reader))
    case 2: self = .prepareLayout(try reader.ballot())
    case 3:
      let ballot = try reader.ballot()
      self = .acceptLayout(ballot, try Layout(reading: &reader))
    case 4: self = .learnLayout(try Layout(reading: &reader))
    case 5: self = .register(try RegisterQuestion(reading: &reader))
    case 6: self = .held(try HeldQuestion(reading: &reader))
    case 7: self = .write(try WriteOrder(reading: &reader))
    case 8: self = .digests(try GroupQuestion(reading: &reader))
    case 9:
      let question = try GroupQuestion(reading: &reader)
      let slots = try SlotSet(reading: &reader)
      let behind = try reader.optional { reader throws(ByteReader.Malformed) in try reader.key() }
      self = .states(question, slots, behind: behind)
    case 10: self = .look(try reader.key())
    case 11:
      let questions = try reader.list(max: ReadQuestion.countMax) { reader throws(ByteReader.Malformed) in
        ReadQuestion(epoch: try reader.integer64(), key: try reader.key())
      }
      self = .reads(questions)
    case let other: throw ByteReader.Malformed("the question \(other)")
    }
    try reader.end()
  }
}

extension NodeAnswer {
  /// No answer is longer.
  package static let writtenBytesMax = 4 << 20
  /// How many keys a page of what is held has at most, so that it is no longer.
  package static let heldMax = 2000

  package var bytes: [UInt8] {
    var writer = ByteWriter()
    switch self {
    case .hello(let hello, let layout, let remembered):
      writer.write(UInt8(1))
      hello.write(to: &writer)
      writer.write(layout) { $1.write(to: &$0) }
      writer.write(remembered) { $1.write(to: &$0) }
    case .layout(let answer, let disk):
      writer.write(UInt8(2))
      answer.write(to: &writer)
      writer.write(disk)
    case .noted: writer.write(UInt8(3))
    case .register(let answer, let member):
      writer.write(UInt8(4))
      answer.write(to: &writer)
      writer.write(member.number)
    case .held(let keys, let isLast):
      writer.write(UInt8(5))
      writer.write(keys) { writer, held in
        writer.write(held.key.bytes)
        writer.write(held.ballot)
        held.descriptor.write(to: &writer)
      }
      writer.write(isLast)
    case .otherLayout(let version):
      writer.write(UInt8(6))
      writer.write(version)
    case .written(let report):
      writer.write(UInt8(7))
      report.write(to: &writer)
    case .digests(let digest):
      writer.write(UInt8(8))
      writer.write(digest.slots) { $0.write($1) }
    case .states(let states, let isLast):
      writer.write(UInt8(9))
      writer.write(states) { $1.write(to: &$0) }
      writer.write(isLast)
    case .reads(let answers):
      writer.write(UInt8(10))
      writer.write(answers) { $1.write(to: &$0) }
    }
    return writer.bytes
  }

  package init(_ bytes: [UInt8]) throws(ByteReader.Malformed) {
    var reader = ByteReader(bytes)
    switch try reader.byte() {
    case 1:
      let hello = try Hello(reading: &reader)
      let layout = try reader.optional { reader throws(ByteReader.Malformed) in try Layout(reading: &reader) }
      self = .hello(
        hello, layout,
        try reader.optional { reader throws(ByteReader.Malformed) in try DiskHistory(reading: &reader) })
    case 2:
      let answer = try LayoutAnswer(reading: &reader)
      self = .layout(answer, try reader.disk())
    case 3: self = .noted
    case 4:
      let answer = try RegisterAnswer(reading: &reader)
      self = .register(answer, Member(try reader.integer16()))
    case 5:
      let keys = try reader.list(max: Self.heldMax) { reader throws(ByteReader.Malformed) in
        let key = try reader.key()
        let ballot = try reader.ballot()
        return HeldKey(key: key, ballot: ballot, descriptor: try Descriptor(reading: &reader))
      }
      self = .held(keys, isLast: try reader.bool())
    case 6: self = .otherLayout(try reader.integer64())
    case 7: self = .written(try WriteReport(reading: &reader))
    case 8:
      let slots = try reader.list(max: GroupDigest.slotCount) { reader throws(ByteReader.Malformed) in
        try reader.integer64()
      }
      guard let digest = GroupDigest(slots: slots) else { throw ByteReader.Malformed("\(slots.count) slots") }
      self = .digests(digest)
    case 9:
      let states = try reader.list(max: Self.heldMax) { reader throws(ByteReader.Malformed) in
        try KeyState(reading: &reader)
      }
      self = .states(states, isLast: try reader.bool())
    case 10:
      let answers = try reader.list(max: ReadQuestion.countMax) { reader throws(ByteReader.Malformed) in
        try ReadAnswer(reading: &reader)
      }
      self = .reads(answers)
    case let other: throw ByteReader.Malformed("the answer \(other)")
    }
    try reader.end()
  }
}

extension ReadAnswer {
  func write(to writer: inout ByteWriter) {
    switch self {
    case .register(let answer, let member):
      writer.write(UInt8(1))
      answer.write(to: &writer)
      writer.write(member.number)
    case .otherLayout(let version):
      writer.write(UInt8(2))
      writer.write(version)
    case .busy: writer.write(UInt8(3))
    }
  }

  init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    switch try reader.byte() {
    case 1:
      let answer = try RegisterAnswer(reading: &reader)
      self = .register(answer, Member(try reader.integer16()))
    case 2: self = .otherLayout(try reader.integer64())
    case 3: self = .busy
    case let other: throw ByteReader.Malformed("the answer \(other) about a key")
    }
  }
}
