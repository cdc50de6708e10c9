import Testing
import TestSupport

@testable import KVHTTP

/// Decodes a stream that arrives in pieces, as a caller with a socket would.
private struct Receiver {
  var decoder = ChunkedDecoder()
  var body: [UInt8] = []
  var rest: [UInt8] = []
  var hasEnded = false

  mutating func receive(_ piece: ArraySlice<UInt8>) throws {
    var piece = piece
    while !hasEnded {
      switch try decoder.next(piece.span) {
      case .needMore(let framingBytes):
        #expect(framingBytes == piece.count)
        return
      case .data(let framingBytes, let remainingBytes):
        piece = piece.dropFirst(framingBytes)
        let data = piece.prefix(remainingBytes)
        if data.isEmpty { return }
        body += data
        decoder.advance(dataBytes: data.count)
        piece = piece.dropFirst(data.count)
      case .end(let framingBytes):
        piece = piece.dropFirst(framingBytes)
        hasEnded = true
      }
    }
    rest += piece
  }
}

private func receive(_ pieces: [ArraySlice<UInt8>]) throws -> Receiver {
  var receiver = Receiver()
  for piece in pieces { try receiver.receive(piece) }
  return receiver
}

/// The status that a stream is refused with, byte by byte and at once alike, or nil.
private func refusal(_ text: String) throws -> Int? {
  try refusal(Array(text.utf8))
}

private func refusal(_ bytes: [UInt8]) throws -> Int? {
  let outcomes = [[bytes[...]], bytes.indices.map { bytes[$0...$0] }].map { pieces -> Int? in
    do {
      _ = try receive(pieces)
      return nil
    } catch {
      return (error as? HTTPSyntaxError)?.status
    }
  }
  #expect(outcomes[0] == outcomes[1])
  return outcomes[0]
}

@Suite struct ChunkedDecoderTests {
  private static let example = Array(
    "5\r\nhello\r\n00A;a=\"b;c\" \r\n, wörl\r\nd\r\n1 ;x\r\n!\r\n0;last\r\nTrailer: x\r\nOther:\r\n\r\nGET /".utf8)
  private static let exampleBody = Array("hello, wörl\r\nd!".utf8)

  @Test func decodesAtOnce() throws {
    let receiver = try receive([Self.example[...]])
    #expect(receiver.hasEnded)
    #expect(receiver.body == Self.exampleBody)
    #expect(receiver.rest == Array("GET /".utf8))
  }

  @Test func decodesByteByByte() throws {
    let receiver = try receive(Self.example.indices.map { Self.example[$0...$0] })
    #expect(receiver.hasEnded)
    #expect(receiver.body == Self.exampleBody)
    #expect(receiver.rest == Array("GET /".utf8))
  }

  @Test func decodesAtEverySplit() throws {
    for first in Self.example.indices {
      for second in first..<Self.example.count {
        let pieces = [Self.example[..<first], Self.example[first..<second], Self.example[second...]]
        let receiver = try receive(pieces)
        #expect(receiver.body == Self.exampleBody, "split at \(first) and \(second)")
        #expect(receiver.rest == Array("GET /".utf8), "split at \(first) and \(second)")
      }
    }
  }

  @Test func noPrefixEnds() throws {
    for count in 0..<(Self.example.count - 5) {
      #expect(try !receive([Self.example[..<count]]).hasEnded, "first \(count) bytes")
    }
  }

  @Test func stepsSayWhereTheDataLie() throws {
    var decoder = ChunkedDecoder()
    let bytes = Array("a\r\n0123456789\r\n0\r\n\r\nX".utf8)
    #expect(try decoder.next(bytes.span.extracting(0..<2)) == .needMore(framingBytes: 2))
    #expect(try decoder.next(bytes.span.extracting(2..<8)) == .data(framingBytes: 1, remainingBytes: 10))
    decoder.advance(dataBytes: 4)
    decoder.advance(dataBytes: 0)
    #expect(try decoder.next(bytes.span.extracting(7..<7)) == .data(framingBytes: 0, remainingBytes: 6))
    decoder.advance(dataBytes: 6)
    #expect(try decoder.next(bytes.span.extracting(13..<21)) == .end(framingBytes: 7))
    #expect(try decoder.next(bytes.span.extracting(20..<21)) == .end(framingBytes: 0))
  }

  @Test(arguments: [
    "\r\n", "g\r\n", " 5\r\n", "5 \r\n", "5\n", "5\rx", "5x\r\n", "+5\r\n", "-5\r\n", "0x5\r\n", ";a\r\n", "5;a\nb\r\n",
    "5;a\u{0}\r\n", "5 a\r\n", "5\r\nhello0\r\n", "5\r\nhello\n", "5\r\nhello\r0", "5\r\nhello!\r\n", "0\r\n\n",
    "0\r\nx\r",
    "0\r\n\rx", "0\r\nA\r\n", "0\r\n: x\r\n", "0\r\nA : x\r\n", "0\r\n A: x\r\n", "0\r\nA: x\r\n b\r\n", "0\r\nA: x\n",
    "0\r\nA: \u{0}\r\n", "0\r\nA: x\rB", "10000000000000000\r\n", "00000000000000005\r\n", "ffffffffffffffff\r\n",
    "8000000000000000\r\n", "7fffffffffffffff\r\n", "1000000000000001\r\n",
  ])
  func refusesWrongStreams(text: String) throws {
    #expect(try refusal(text) == 400)
  }

  @Test(arguments: [("1000000000000000", 1 << 60), ("0000000000000005", 5), ("fFf", 4095)])
  func readsSizes(digits: String, size: Int) throws {
    var decoder = ChunkedDecoder()
    let bytes = Array((digits + "\r\n").utf8)
    #expect(try decoder.next(bytes.span) == .data(framingBytes: bytes.count, remainingBytes: size))
  }

  @Test(arguments: [(256, nil), (257, 400)])
  func limitsASizeLine(count: Int, status: Int?) throws {
    let line = "1;" + String(repeating: "x", count: count - 4) + "\r\n"
    #expect(try refusal(line) == status)
    #expect(try refusal("1\r\na\r\n" + line) == status)
  }

  @Test(arguments: [(100, nil), (101, 431)])
  func limitsTheNumberOfTrailers(count: Int, status: Int?) throws {
    #expect(try refusal("0\r\n" + String(repeating: "a: b\r\n", count: count) + "\r\n") == status)
  }

  @Test(arguments: [(16_384, nil), (16_385, 431)])
  func limitsTheLengthOfTrailers(count: Int, status: Int?) throws {
    let value = String(repeating: "x", count: count - 6)
    #expect(try refusal("0\r\na:\(value)\r\n\r\n") == status)
  }

  @Test(arguments: 1...100 as ClosedRange<UInt64>)
  func decodesRandomStreams(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var plain: [UInt8] = []
    var stream: [UInt8] = []
    for _ in 0..<Int.random(in: 0...8, using: &generator) {
      let size = Int.random(in: 1...(Bool.random(using: &generator) ? 5 : 700), using: &generator)
      let data = (0..<size).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
      plain += data
      stream += ChunkHead.encoded(byteCount: size) + data + ChunkHead.chunkEnd
    }
    stream += ChunkHead.lastChunk
    let next = Array("next".utf8)
    stream += next

    var pieces: [ArraySlice<UInt8>] = []
    var start = 0
    while start < stream.count {
      let end = min(stream.count, start + Int.random(in: 1...40, using: &generator))
      pieces.append(stream[start..<end])
      start = end
    }
    let receiver = try receive(pieces)
    #expect(receiver.hasEnded)
    #expect(receiver.body == plain)
    #expect(receiver.rest == next)
  }

  @Test func spoiltStreamsEndOrAreRefusedHoweverTheyAreCut() throws {
    var generator = SeededGenerator(seed: 11)
    var refusedCount = 0
    for _ in 0..<2_000 {
      var stream = Self.example
      generator.spoil(&stream)
      if try refusal(stream) != nil { refusedCount += 1 }
    }
    #expect((1..<2_000).contains(refusedCount))
  }

  @Test(arguments: [-1, 6])
  func trapsWhenMoreIsMovedThanTheChunkHas(dataBytes: Int) async {
    await #expect(processExitsWith: .failure) { [dataBytes] in
      var decoder = ChunkedDecoder()
      let bytes = Array("5\r\n".utf8)
      _ = try decoder.next(bytes.span)
      decoder.advance(dataBytes: dataBytes)
    }
  }
}
