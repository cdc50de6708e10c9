/// What stands around the data of chunks that we send (RFC 9112 section 7.1).
public enum ChunkHead {
  /// The CRLF after the data of every chunk.
  public static let chunkEnd: [UInt8] = Array("\r\n".utf8)

  /// The chunk of size zero and the end of a trailer section without fields: what ends a body.
  public static let lastChunk: [UInt8] = Array("0\r\n\r\n".utf8)

  /// The size line before so many bytes of data; traps unless there is at least one, for zero would end the body.
  public static func encoded(byteCount: Int) -> [UInt8] {
    precondition(byteCount > 0, "a chunk without data")
    return Array(String(byteCount, radix: 16).utf8) + chunkEnd
  }
}
