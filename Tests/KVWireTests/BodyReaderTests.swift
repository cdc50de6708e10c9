import KVHTTP
import KVLinux
import Testing
import TestSupport

@testable import KVWire

@Suite(.hangLimit) struct BodyReaderTests {
  /// What a consumer that does not want to throws.

  /// What reading a body came to.
  private struct Reading: Equatable {
    var body: [UInt8] = []
    var error: String?
  }

  /// Sends the bytes in random pieces, each when the reader has used up the ones before, and reads a body from them.
  private static func read(
    _ wire: consuming WirePair, _ bytes: [UInt8], framing: BodyFraming, _ generator: inout SeededGenerator
  ) async throws -> (reading: Reading, reader: BodyReader, rest: [UInt8]) {
    let near = wire.near
    var far = wire.far.stream
    var reader = BodyReader(framing)
    var reading = Reading()
    var hasEnded = false
    var offset = 0
    var pieces = generator.pieces(of: bytes.count)[...]
    while true {
      do throws(BodyError) {
        let count = try reader.pass(from: &far) { reading.body.append(copying: $0) }
        precondition(count != 0 || reader.isComplete, "a step that moved nothing")
        if count == nil {
          if let piece = pieces.popFirst() {
            try? await near.send(Array(bytes[offset..<(offset + piece)]))
            offset += piece
          } else if !hasEnded {
            try? near.endSending()
            hasEnded = true
          }
          try? await far.wait(.readable)
        }
        if reader.isComplete { break }
      } catch {
        reading.error = "\(error)"
        break
      }
    }
    try? await near.send(Array(bytes[offset...]))
    if !hasEnded { try near.endSending() }
    var rest = Wire(far)
    return (reading, reader, try await rest.receiveAll().bytes)
  }

  /// A chunked body in every spelling that RFC 9112 allows.
  static func chunked(_ payload: Payload, _ generator: inout SeededGenerator) -> [UInt8] {
    var bytes: [UInt8] = []
    var offset = 0
    for piece in generator.pieces(of: payload.byteCount) {
      let zeros = String(repeating: "0", count: Int(generator.next() % 3))
      let size = String(piece, radix: 16, uppercase: generator.once(in: 2))
      let ending = ["", " ;name=value", ";name=\"a, b\"", "\t"].randomElement(using: &generator) ?? ""
      bytes += Array((zeros + size + (ending == "\t" ? "" : ending) + "\r\n").utf8)
      bytes += payload.bytes(at: offset, count: piece)
      bytes += [13, 10]
      offset += piece
    }
    let trailers = ["", "Checked: yes\r\n", "A: \r\nB: c\r\n"].randomElement(using: &generator) ?? ""
    return bytes + Array(("0\r\n" + trailers + "\r\n").utf8)
  }

  @Test(arguments: ["none", "length", "untilEnd", "chunked"])
  func readsTheBodyAndNotAByteMore(kind: String) async throws {
    try await Wire.test {
      let port = try ListeningPort()
      for round in 0..<Rounds.count(200) {
        var generator = SeededGenerator(round: round, 10)
        let payload = Payload(byteCount: kind == "none" ? 0 : generator.size(through: 1 << 20), &generator)
        let framing: BodyFraming =
          switch kind {
          case "none": .none
          case "length": .length(payload.byteCount)
          case "untilEnd": .untilEnd
          default: .chunked
          }
        let next = kind == "untilEnd" ? 0 : generator.size(through: 40_000)
        let following = Payload(byteCount: next, &generator).bytes
        let body = kind == "chunked" ? Self.chunked(payload, &generator) : payload.bytes
        let result = try await Self.read(WirePair(port), body + following, framing: framing, &generator)
        #expect(payload.equals(result.reading.body), "round \(round)")
        #expect(result.reading.error == nil, "round \(round)")
        #expect(result.reader.isComplete)
        #expect(result.rest == following, "round \(round)")
      }
    }
  }

  @Test(arguments: [true, false])
  func noticesABodyThatIsBrokenOff(isChunked: Bool) async throws {
    try await Wire.test {
      let port = try ListeningPort()
      for round in 0..<Rounds.count(100) {
        var generator = SeededGenerator(round: round, 11)
        let payload = Payload(byteCount: generator.size(through: 200_000) + 1, &generator)
        let body = isChunked ? Self.chunked(payload, &generator) : payload.bytes
        let cut = Int.random(in: 0..<body.count, using: &generator)
        let result = try await Self.read(
          WirePair(port), Array(body[..<cut]), framing: isChunked ? .chunked : .length(payload.byteCount), &generator)
        #expect(result.reading.error == "brokenOff", "round \(round)")
        #expect(!result.reader.isComplete)
        #expect(payload.matches(result.reading.body[...], at: 0), "round \(round)")
      }
    }
  }

  @Test(arguments: [
    "x\r\n", "5\nhello", "5\r\nhello!", "-1\r\n", "\r\n", "ffffffffffffffffff\r\n", "0\r\nbad trailer\r\n\r\n",
  ])
  func namesWhatIsWrongWithChunks(body: String) async throws {
    try await Wire.test {
      let port = try ListeningPort()
      for round in 0..<Rounds.count(5) {
        var generator = SeededGenerator(round: round, 12)
        let result = try await Self.read(WirePair(port), Array(body.utf8), framing: .chunked, &generator)
        #expect(result.reading.error?.hasPrefix("malformed(") == true, "\(result.reading)")
        #expect(!result.reader.isComplete)
      }
    }
  }

  @Test func nothingIsReadForABodyWithoutBytes() async throws {
    try await Wire.test {
      let port = try ListeningPort()
      for framing in [BodyFraming.none, .length(0)] {
        var generator = SeededGenerator(round: 0, 13)
        let result = try await Self.read(WirePair(port), [1, 2], framing: framing, &generator)
        #expect(result.reading == Reading())
        #expect(result.rest == [1, 2])
        #expect(BodyReader(framing).isComplete)
      }
    }
  }

  @Test(arguments: [BodyFraming.length(10), .untilEnd, .chunked])
  func aResetIsNoEnd(framing: BodyFraming) async throws {
    try await Wire.test {
      let pair = try await WirePair(ListeningPort())
      let near = pair.near
      var far = pair.far.stream
      near.reset()
      try await far.wait(.readable)
      var reader = BodyReader(framing)
      var isStreamToBlame = false
      do throws(BodyError) {
        _ = try reader.pass(from: &far) { _ in }
      } catch {
        if case .stream(.failed) = error { isStreamToBlame = true }
      }
      #expect(isStreamToBlame)
      #expect(!reader.isComplete)
    }
  }
}
