import Testing

@testable import KVHTTP

@Suite struct ChunkHeadTests {
  @Test(arguments: [
    (1, "1\r\n"), (15, "f\r\n"), (16, "10\r\n"), (65_536, "10000\r\n"), (1 << 60, "1000000000000000\r\n"),
  ])
  func encodesSizes(byteCount: Int, text: String) {
    #expect(ChunkHead.encoded(byteCount: byteCount) == Array(text.utf8))
  }

  @Test(arguments: [0, -1])
  func trapsOnAChunkWithoutData(byteCount: Int) async {
    await #expect(processExitsWith: .failure) { [byteCount] in
      _ = ChunkHead.encoded(byteCount: byteCount)
    }
  }
}
