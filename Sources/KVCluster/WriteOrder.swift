import KVCore

/// A write that one owner of a key has another decide about, so that rounds about the key do not outbid each other.
package struct WriteOrder: Hashable, Sendable {
  package static let conditionBytesMax = 16 << 10

  /// The epoch of the key's group.
  package let epoch: UInt64
  package let key: Key
  package let descriptor: Descriptor
  /// Who has the bytes.
  package let source: Member
  /// They themselves, where they are few.
  package let content: SmallContent?
  /// The fields that say under which conditions it is to be done, as lines of HTTP.
  package let conditions: [UInt8]
  /// Whether another owner may have made it already.
  package let mayBeWritten: Bool

  package init(
    epoch: UInt64, key: Key, descriptor: Descriptor, source: Member, content: SmallContent?, conditions: [UInt8],
    mayBeWritten: Bool
  ) {
    (self.epoch, self.key, self.descriptor, self.source) = (epoch, key, descriptor, source)
    (self.content, self.conditions, self.mayBeWritten) = (content, conditions, mayBeWritten)
  }
}

/// What came of a write.
package enum WriteReport: Hashable, Sendable {
  /// It is decided; whether there was a value before, where that can be told: not where another owner has made the write
  /// and fallen silent.
  case done(existed: Bool?)
  /// What the client asked for before by the same name is the value: nothing was to be done.
  case doneBefore
  /// Its condition does not hold; whether there is a value.
  case refused(exists: Bool)
  /// The client asked for something else before by the same name, and that is the value.
  case repeatedOtherwise
  /// Nothing was written, for too few owners took part.
  case notWritten
  /// Nobody can say whether it was, or will be, written.
  case unknown
  /// The owners are others by now.
  case moved(mayBeWritten: Bool)
}

/// How they are written.
extension WriteOrder {
  func write(to writer: inout ByteWriter) {
    writer.write(epoch)
    writer.write(key.bytes)
    descriptor.write(to: &writer)
    writer.write(source.number)
    writer.write(content) { $1.write(to: &$0) }
    writer.write(conditions)
    writer.write(mayBeWritten)
  }

  init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    epoch = try reader.integer64()
    key = try reader.key()
    descriptor = try Descriptor(reading: &reader)
    source = Member(try reader.integer16())
    content = try reader.optional { reader throws(ByteReader.Malformed) in try SmallContent(reading: &reader) }
    conditions = try reader.bytes(max: Self.conditionBytesMax)
    mayBeWritten = try reader.bool()
  }
}

extension WriteReport {
  func write(to writer: inout ByteWriter) {
    switch self {
    case .done(let existed?): Self.write(1, existed, to: &writer)
    case .done(nil): writer.write(UInt8(6))
    case .doneBefore: writer.write(UInt8(7))
    case .repeatedOtherwise: writer.write(UInt8(8))
    case .refused(let exists): Self.write(2, exists, to: &writer)
    case .notWritten: writer.write(UInt8(3))
    case .unknown: writer.write(UInt8(4))
    case .moved(let mayBeWritten): Self.write(5, mayBeWritten, to: &writer)
    }
  }

  private static func write(_ number: UInt8, _ flag: Bool, to writer: inout ByteWriter) {
    writer.write(number)
    writer.write(flag)
  }

  init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    switch try reader.byte() {
    case 1: self = .done(existed: try reader.bool())
    case 2: self = .refused(exists: try reader.bool())
    case 3: self = .notWritten
    case 4: self = .unknown
    case 6: self = .done(existed: nil)
    case 7: self = .doneBefore
    case 8: self = .repeatedOtherwise
    case 5: self = .moved(mayBeWritten: try reader.bool())
    case let other: throw ByteReader.Malformed("the report \(other)")
    }
  }
}
