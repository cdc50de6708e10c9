/// What a look at the bytes received so far gave.
public enum HTTPParsed<Head: Sendable & Equatable>: Sendable, Equatable {
  /// The blank line has not come: read on, and parse again from the same first byte.
  case needMore
  /// The head, and how many bytes it took; the byte after them is the body's or the next message's.
  case head(Head, byteCount: Int)
}
