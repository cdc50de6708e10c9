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

  /// Reads until `parse` has found a head at the start of the unread bytes: it says whether it has, and then has taken it
  /// off. False at the end of the stream: what is unread then is the beginning of a head.
  package func head(
    from stream: inout Stream, within patience: Patience, parse: (inout Stream) -> Bool
  ) async throws(StreamError) -> Bool {
    var deadline: Instant?
    if case .whole(let span) = patience { deadline = .after(span) }
    while true {
      if !stream.unread.isEmpty {
        if parse(&stream) { return true }
        if deadline == nil, case .fromFirstByte(let span) = patience { deadline = .after(span) }
      }
      let isBetween = deadline == nil
      guard
        try await stream.fill(
          bytesMax: Self.readBytes, until: deadline, interruptible: isBetween, by: interrupter)
      else { return false }
    }
  }

  /// The next head of a request in HTTP.
  package func request(
    from stream: inout Stream, within patience: Patience
  ) async throws(StreamError) -> Result<HTTPRequestHead, HTTPSyntaxError>? {
    var found: Result<HTTPRequestHead, HTTPSyntaxError>?
    _ = try await head(from: &stream, within: patience) { stream in
      found = stream.takeRequestHead()
      return found != nil
    }
    return found
  }

  /// The next head of a response in HTTP.
  package func response(
    from stream: inout Stream, within patience: Patience
  ) async throws(StreamError) -> Result<HTTPResponseHead, HTTPSyntaxError>? {
    var found: Result<HTTPResponseHead, HTTPSyntaxError>?
    _ = try await head(from: &stream, within: patience) { stream in
      found = stream.takeResponseHead()
      return found != nil
    }
    return found
  }
}

extension Stream {
  /// Takes a request's head off the unread bytes, if there is a whole one.
  package mutating func takeRequestHead(
    limits: HTTPHeadLimits = .ofClients
  ) -> Result<HTTPRequestHead, HTTPSyntaxError>? {
    do throws(HTTPSyntaxError) {
      guard case .head(let head, let byteCount) = try HTTPRequestHead.parse(unread.span, limits: limits) else {
        return nil
      }
      dropUnread(byteCount)
      return .success(head)
    } catch {
      return .failure(error)
    }
  }

  /// Takes a response's head off the unread bytes, if there is a whole one.
  package mutating func takeResponseHead() -> Result<HTTPResponseHead, HTTPSyntaxError>? {
    do throws(HTTPSyntaxError) {
      guard case .head(let head, let byteCount) = try HTTPResponseHead.parse(unread.span) else { return nil }
      dropUnread(byteCount)
      return .success(head)
    } catch {
      return .failure(error)
    }
  }
}
