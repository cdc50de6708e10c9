import FuzzSupport
import KVCore
import KVHTTP

/// The input is a byte that decides how the stream is cut into pieces, and the stream.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = input(start, count)
  guard let seed = bytes.first else { return 0 }
  let stream = bytes.dropFirst()
  var whole = Receiver()
  whole.receive(stream)
  var cut = Receiver()
  for piece in pieces(of: stream, seed: seed) { cut.receive(piece) }
  require(whole.body == cut.body, "the same data come, however the stream is cut")
  require(whole.rest == cut.rest, "the same bytes are left, however the stream is cut")
  require(whole.outcome == cut.outcome, "the outcome is the same, however the stream is cut")
  checkEncoding(whole.body, seed: seed)
  return 0
}

/// Pieces of 1 to 16 bytes, in an order that the seed decides.
private func pieces(of stream: ArraySlice<UInt8>, seed: UInt8) -> [ArraySlice<UInt8>] {
  var state = UInt32(seed)
  var rest = stream
  var pieces: [ArraySlice<UInt8>] = []
  while !rest.isEmpty {
    state = state &* 1_664_525 &+ 1_013_904_223
    let piece = rest.prefix(Int(state >> 28) + 1)
    pieces.append(piece)
    rest = rest.dropFirst(piece.count)
  }
  return pieces
}

private func checkEncoding(_ body: [UInt8], seed: UInt8) {
  var stream: [UInt8] = []
  for piece in pieces(of: body[...], seed: seed) {
    stream += ChunkHead.encoded(byteCount: piece.count) + piece + ChunkHead.chunkEnd
  }
  var receiver = Receiver()
  receiver.receive((stream + ChunkHead.lastChunk)[...])
  require(receiver.outcome == .ended && receiver.rest.isEmpty, "chunks of our own end where they end")
  require(receiver.body == body, "chunks of our own hold what was put in")
}

/// Takes a stream in, as a caller with a socket would.
private struct Receiver {
  enum Outcome: Equatable {
    case open
    case ended
    case failed(HTTPSyntaxError)
  }

  private var decoder = ChunkedDecoder()
  var body: [UInt8] = []
  var rest: [UInt8] = []
  var outcome = Outcome.open

  mutating func receive(_ piece: ArraySlice<UInt8>) {
    var piece = piece
    do throws(HTTPSyntaxError) {
      while outcome == .open, try takeStep(&piece) {}
    } catch {
      require(isOneLine(error.reason), "what is wrong is told in one line")
      outcome = .failed(error)
    }
    if outcome == .ended { rest += piece }
  }

  /// Whether there may be more to take.
  private mutating func takeStep(_ piece: inout ArraySlice<UInt8>) throws(HTTPSyntaxError) -> Bool {
    switch try decoder.next(piece.span) {
    case .needMore(let framingBytes):
      require(framingBytes == piece.count, "more is needed only once all is used up")
      return false
    case .data(let framingBytes, let remainingBytes):
      require(framingBytes <= piece.count && remainingBytes > 0, "data follow the framing")
      piece = piece.dropFirst(framingBytes)
      let data = piece.prefix(remainingBytes)
      body += data
      decoder.advance(dataBytes: data.count)
      piece = piece.dropFirst(data.count)
      return !data.isEmpty
    case .end(let framingBytes):
      require(framingBytes <= piece.count, "the end lies in what was shown")
      piece = piece.dropFirst(framingBytes)
      outcome = .ended
      return false
    }
  }
}
