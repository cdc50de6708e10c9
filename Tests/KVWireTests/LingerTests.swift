import Testing

@testable import KVWire

@Suite struct LingerTests {
  @Test(arguments: [
    (0, 30), (1, 30), (240 << 20, 30), (248 << 20, 31), (1 << 30, 128), (4800 << 20, 600), (.max, 600),
  ])
  func timeFollowsWhatWasAnnounced(byteCount: Int, seconds: Int) {
    #expect(Linger(announcedBytes: byteCount).timeout == .seconds(seconds))
  }

  @Test(arguments: [(0, nil), (1, 1 + (64 << 20)), (1 << 30, (1 << 30) + (64 << 20)), (.max, .max)] as [(Int, Int?)])
  func bytesFollowWhatWasAnnounced(byteCount: Int, bytesMax: Int?) {
    #expect(Linger(announcedBytes: byteCount).bytesMax == bytesMax)
  }
}
