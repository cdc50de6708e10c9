/// Writes numbers, texts and lists one after the other, as nodes send them to each other and keep them in files. Integers
/// are big-endian; whatever has no fixed length begins with its length.
package struct ByteWriter: Sendable {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  package mutating func write(_ value: UInt8) { bytes.append(value) }

  package mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }

  package mutating func write(_ value: UInt16) { bytes += BigEndian.bytes(value) }

  package mutating func write(_ value: UInt32) {
    write(UInt16(value >> 16))
    write(UInt16(value & 0xFFFF))
  }

  package mutating func write(_ value: UInt64) { bytes += BigEndian.bytes(Int64(bitPattern: value)) }

  package mutating func write(_ value: Int64) { bytes += BigEndian.bytes(value) }

  /// Bytes of any length that the reader is ready for.
  package mutating func write(_ value: [UInt8]) {
    write(UInt32(value.count))
    bytes += value
  }

  package mutating func write(_ value: String) { write(Array(value.utf8)) }

  package mutating func write<Element>(_ list: [Element], _ each: (inout ByteWriter, Element) -> Void) {
    write(UInt32(list.count))
    for element in list { each(&self, element) }
  }

  package mutating func write<Wrapped>(_ optional: Wrapped?, _ some: (inout ByteWriter, Wrapped) -> Void) {
    write(optional != nil)
    if let optional { some(&self, optional) }
  }

  package mutating func write(_ value: Ballot) {
    write(value.counter)
    write(value.member.number)
  }

  package mutating func write(_ value: UploadID) {
    write(value.member.number)
    write(value.counter)
  }

  package mutating func write(_ value: ValueChecksum) {
    write(value.high)
    write(value.low)
  }
}

/// Reads what a `ByteWriter` wrote, and trusts none of it.
package struct ByteReader: Sendable {
  /// Bytes that no writer wrote so.
  package struct Malformed: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
  }

  private var rest: ArraySlice<UInt8>

  package init(_ bytes: [UInt8]) { rest = bytes[...] }

  /// Fails unless everything has been read.
  package func end() throws(Malformed) {
    guard rest.isEmpty else { throw Malformed("\(rest.count) bytes too many") }
  }

  package mutating func byte() throws(Malformed) -> UInt8 {
    guard let byte = rest.popFirst() else { throw Malformed("it is cut off") }
    return byte
  }

  package mutating func bool() throws(Malformed) -> Bool {
    switch try byte() {
    case 0: return false
    case 1: return true
    case let other: throw Malformed("\(other) where 0 or 1 belongs")
    }
  }

  package mutating func integer16() throws(Malformed) -> UInt16 { BigEndian.shortInteger(try take(2)) }

  package mutating func integer32() throws(Malformed) -> UInt32 {
    UInt32(try integer16()) << 16 | UInt32(try integer16())
  }

  package mutating func integer64() throws(Malformed) -> UInt64 {
    UInt64(bitPattern: BigEndian.integer(try take(8)))
  }

  package mutating func signed64() throws(Malformed) -> Int64 { BigEndian.integer(try take(8)) }

  /// At most so many bytes.
  package mutating func bytes(max: Int) throws(Malformed) -> [UInt8] {
    let count = Int(try integer32())
    guard count <= max else { throw Malformed("\(count) bytes where at most \(max) belong") }
    return Array(try take(count))
  }

  /// UTF-8 of at most so many bytes.
  package mutating func text(max: Int) throws(Malformed) -> String {
    guard let text = String(validating: try bytes(max: max), as: UTF8.self) else {
      throw Malformed("a text that is not UTF-8")
    }
    return text
  }

  /// At most so many elements.
  package mutating func list<Element>(
    max: Int, _ each: (inout ByteReader) throws(Malformed) -> Element
  ) throws(Malformed) -> [Element] {
    let count = Int(try integer32())
    guard count <= max else { throw Malformed("\(count) entries where at most \(max) belong") }
    var list: [Element] = []
    for _ in 0..<count { list.append(try each(&self)) }
    return list
  }

  package mutating func optional<Wrapped>(
    _ some: (inout ByteReader) throws(Malformed) -> Wrapped
  ) throws(Malformed) -> Wrapped? {
    try bool() ? try some(&self) : nil
  }

  /// A number that somebody has counted up to. Those that are so high that counting on from them could overflow are
  /// nobody's.
  package mutating func count() throws(Malformed) -> UInt64 {
    let count = try integer64()
    guard count <= Self.countMax else { throw Malformed("the number \(count)") }
    return count
  }

  /// Microseconds last until the year 148,000 with it.
  private static let countMax: UInt64 = 1 << 62

  /// A host's name.
  package mutating func hostName() throws(Malformed) -> String {
    let text = try text(max: NodeName.bytesMax)
    do throws(SettingError) { return try NodeName.parse(text) } catch { throw Malformed("a name that is no host's") }
  }

  package mutating func ballot() throws(Malformed) -> Ballot {
    let counter = try count()
    return Ballot(counter: counter, member: Member(try integer16()))
  }

  package mutating func upload() throws(Malformed) -> UploadID {
    let member = Member(try integer16())
    return UploadID(member: member, counter: try integer64())
  }

  package mutating func checksum() throws(Malformed) -> ValueChecksum {
    let high = try integer64()
    return ValueChecksum(high: high, low: try integer64())
  }

  private mutating func take(_ count: Int) throws(Malformed) -> ArraySlice<UInt8> {
    guard rest.count >= count else { throw Malformed("it is cut off") }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }
}

extension Array<UInt8> {
  /// Bytes that nobody can guess (getrandom(2)).
  package static func random(count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: .min ... .max) } }
}
