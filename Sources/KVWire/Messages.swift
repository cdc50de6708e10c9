import KVCore
import KVHTTP
import KVLinux

/// The one loop that reads heads: of requests from clients and monitors, and of the answers of other nodes.
package struct Messages {
  /// How long a head may take.
  package enum Patience: Sendable {
    /// All of it, so long from now.
    case whole(Duration)
    /// All of it, so long from its first byte on; that one may take as long as the stream may be idle, and is not waited
    /// for once the process stops.
    case fromFirstByte(Duration)
  }

  /// How many bytes are asked of the kernel at a time.
  private static let readBytes = 16 * 1024

  /// Ends the reading from another task.
  private let interrupter: Interrupter?

  /// A loop that may be interrupted.
  package init(interrupter: Interrupter? = nil) { self.interrupter = interrupter }

  /// The next head, as `parse` finds it at the start of the unread bytes; it returns nil while more are needed, and has
  /// dropped what it took. Nil at the end of the stream: what is unread then is the beginning of a head.
  package func head<Head>(
    from stream: inout Stream, within patience: Patience, parse: (inout Stream) -> Head?
  ) async throws(StreamError) -> Head? {
    var deadline: Instant?
    if case .whole(let span) = patience { deadline = .after(span) }
    while true {
      if !stream.unread.isEmpty {
        if let head = parse(&stream) { return head }
        if deadline == nil, case .fromFirstByte(let span) = patience { deadline = .after(span) }
      }
      let isBetween = deadline == nil
      guard
        try await stream.fill(
          bytesMax: Self.readBytes, until: deadline, interruptible: isBetween, by: interrupter)
      else { return nil }
    }
  }

  /// The next head of a request in HTTP.
  package func request(
    from stream: inout Stream, within patience: Patience
  ) async throws(StreamError) -> Result<HTTPRequestHead, HTTPSyntaxError>? {
    try await head(from: &stream, within: patience) { stream in
      stream.take { bytes throws(HTTPSyntaxError) in try HTTPRequestHead.parse(bytes) }
    }
  }

  /// The next head of a response in HTTP.
  package func response(
    from stream: inout Stream, within patience: Patience
  ) async throws(StreamError) -> Result<HTTPResponseHead, HTTPSyntaxError>? {
    try await head(from: &stream, within: patience) { stream in
      stream.take { bytes throws(HTTPSyntaxError) in try HTTPResponseHead.parse(bytes) }
    }
  }
}

extension Stream {
  /// Takes a head off the unread bytes, if there is a whole one.
  package mutating func take<Head>(
    _ parse: (Span<UInt8>) throws(HTTPSyntaxError) -> HTTPParsed<Head>
  ) -> Result<Head, HTTPSyntaxError>? {
    do throws(HTTPSyntaxError) {
      guard case .head(let head, let byteCount) = try parse(unread.span) else { return nil }
      dropUnread(byteCount)
      return .success(head)
    } catch {
      return .failure(error)
    }
  }
}
