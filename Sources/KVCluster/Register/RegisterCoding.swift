import KVCore

/// How what is said about keys is written.
extension ByteReader {
  mutating func key() throws(Malformed) -> Key {
    let bytes = try bytes(max: Key.bytesMax)
    do throws(KeyError) { return try Key(bytes) } catch { throw Malformed("a key that cannot be") }
  }
}

extension RegisterQuestion {
  func write(to writer: inout ByteWriter) {
    writer.write(version)
    writer.write(epoch)
    writer.write(key.bytes)
    request.write(to: &writer)
    writer.write(source) { $0.write($1.number) }
    writer.write(content) { $1.write(to: &$0) }
  }

  init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    version = try reader.integer64()
    epoch = try reader.integer64()
    key = try reader.key()
    request = try RegisterRequest(reading: &reader)
    source = try reader.optional { reader throws(ByteReader.Malformed) in Member(try reader.integer16()) }
    content = try reader.optional { reader throws(ByteReader.Malformed) in try SmallContent(reading: &reader) }
  }
}

extension SmallContent {
  func write(to writer: inout ByteWriter) {
    writer.write(bytes)
    writer.write(fields)
  }

  init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    bytes = try reader.bytes(max: Self.bytesMax)
    fields = try reader.bytes(max: ValueFields.attributeBytesMax)
  }
}

extension HeldQuestion {
  func write(to writer: inout ByteWriter) {
    writer.write(version)
    writer.write(epoch)
    writer.write(group)
    writer.write(behind) { $0.write($1.bytes) }
    writer.write(member.number)
    writer.write(source.number)
  }

  init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    version = try reader.integer64()
    epoch = try reader.integer64()
    group = try reader.byte()
    behind = try reader.optional { reader throws(ByteReader.Malformed) in try reader.key() }
    member = Member(try reader.integer16())
    source = Member(try reader.integer16())
  }
}

extension RegisterRequest {
  func write(to writer: inout ByteWriter) {
    switch self {
    case .read: writer.write(UInt8(1))
    case .prepare(let ballot):
      writer.write(UInt8(2))
      writer.write(ballot)
    case .accept(let ballot, let descriptor):
      writer.write(UInt8(3))
      writer.write(ballot)
      descriptor.write(to: &writer)
    case .learn(let ballot, let descriptor):
      writer.write(UInt8(4))
      writer.write(ballot)
      descriptor.write(to: &writer)
    case .purge(let ballot):
      writer.write(UInt8(5))
      writer.write(ballot)
    }
  }

  init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    switch try reader.byte() {
    case 1: self = .read
    case 2: self = .prepare(try reader.ballot())
    case 3:
      let ballot = try reader.ballot()
      self = .accept(ballot, try Descriptor(reading: &reader))
    case 4:
      let ballot = try reader.ballot()
      self = .learn(ballot, try Descriptor(reading: &reader))
    case 5: self = .purge(try reader.ballot())
    case let other: throw ByteReader.Malformed("the request \(other)")
    }
  }
}

extension RegisterAnswer {
  func write(to writer: inout ByteWriter) {
    switch self {
    case .holds(let testimony):
      writer.write(UInt8(1))
      testimony.write(to: &writer)
    case .promised(let testimony):
      writer.write(UInt8(2))
      testimony.write(to: &writer)
    case .done: writer.write(UInt8(3))
    case .outbid(let highest, let accepted):
      writer.write(UInt8(4))
      writer.write(highest)
      writer.write(accepted)
    case .lacksBytes: writer.write(UInt8(5))
    case .unable: writer.write(UInt8(6))
    }
  }

  init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    switch try reader.byte() {
    case 1: self = .holds(try Testimony(reading: &reader))
    case 2: self = .promised(try Testimony(reading: &reader))
    case 3: self = .done
    case 4:
      let highest = try reader.ballot()
      self = .outbid(highest: highest, accepted: try reader.ballot())
    case 5: self = .lacksBytes
    case 6: self = .unable
    case let other: throw ByteReader.Malformed("the answer \(other)")
    }
  }
}

extension LayoutAnswer {
  func write(to writer: inout ByteWriter) {
    switch self {
    case .promised(let accepted, let layout):
      writer.write(UInt8(1))
      writer.write(accepted)
      writer.write(layout) { $1.write(to: &$0) }
    case .done: writer.write(UInt8(2))
    case .outbid(let ballot):
      writer.write(UInt8(3))
      writer.write(ballot)
    }
  }

  init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    switch try reader.byte() {
    case 1:
      let accepted = try reader.ballot()
      let layout = try reader.optional { reader throws(ByteReader.Malformed) in try Layout(reading: &reader) }
      self = .promised(accepted: accepted, layout)
    case 2: self = .done
    case 3: self = .outbid(try reader.ballot())
    case let other: throw ByteReader.Malformed("the answer \(other)")
    }
  }
}

extension Testimony {
  func write(to writer: inout ByteWriter) {
    writer.write(held) { writer, held in
      writer.write(held.ballot)
      held.descriptor.write(to: &writer)
      writer.write(held.hasBytes)
    }
    writer.write(floor)
  }

  init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    let held = try reader.optional { reader throws(ByteReader.Malformed) in
      let ballot = try reader.ballot()
      let descriptor = try Descriptor(reading: &reader)
      return Held(ballot: ballot, descriptor: descriptor, hasBytes: try reader.bool())
    }
    self.init(held: held, floor: try reader.ballot())
  }
}

extension Descriptor {
  func write(to writer: inout ByteWriter) {
    writer.write(upload)
    writer.write(kind == .deletion)
    writer.write(UInt64(valueBytes))
    writer.write(committedAtNanoseconds)
    writer.write(checksum)
    writer.write(request) { $0.write($1.number) }
  }

  init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    let upload = try reader.upload()
    let isDeletion = try reader.bool()
    guard let valueBytes = Int(exactly: try reader.integer64()), !isDeletion || valueBytes == 0 else {
      throw ByteReader.Malformed("a length that cannot be")
    }
    let committedAtNanoseconds = try reader.signed64()
    let checksum = try reader.checksum()
    let request = try reader.optional { reader throws(ByteReader.Malformed) in
      RequestToken(number: try reader.integer64())
    }
    self.init(
      upload: upload, kind: isDeletion ? .deletion : .value, valueBytes: valueBytes,
      committedAtNanoseconds: committedAtNanoseconds, checksum: checksum, request: request)
  }
}
