import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVWire

/// The other end of an accepted connection: reads its requests and writes its responses, in its dialect.
struct Client: ~Copyable {
  /// What came instead of, or as, the next request.
  enum Arrival {
    case request(ValueRequest)
    case list(ListRequest)
    /// `GET /?status`.
    case status
    /// Bytes that are no request; the connection ends after the answer.
    case refused(Failure)
    /// Nothing will come: the client left, or an idle connection has served its time.
    case gone
  }

  /// How a connection goes on after a request.
  private enum Ending {
    /// The next request may follow.
    case open
    /// Closed in order, so that the client gets every byte of the answer.
    case orderly
    /// Closed at once: the client is gone, or has nothing under way.
    case immediate
    /// Closed by a reset, so that no client takes what it got for whole.
    case reset
  }

  /// How many bytes are asked of the kernel at a time while a head is read.
  private static let headReadBytes = 16 * 1024

  /// The connection.
  var stream: Stream
  /// Follows the current request's body.
  var body = BodyReader(.none)
  private let limits: Limits
  private(set) var dialect: Dialect?
  private var keepsAlive = false
  private var awaitsContinue = false
  private var wantsHeadOnly = false
  private var ending = Ending.open

  init(_ stream: consuming Stream, limits: Limits) {
    self.stream = stream
    self.limits = limits
  }

  /// The other side's address, for log lines.
  var address: String { stream.socket.peer?.description ?? "a closed connection" }

  /// The other side's address without the port, where it is known.
  var ipAddress: IPAddress? { stream.socket.peer?.address }

  /// Whether another request may follow.
  var isOpen: Bool { ending == .open }

  /// Reads the next request's head.
  mutating func nextRequest() async -> Arrival {
    var deadline = Instant.after(limits.headerTimeout)
    do throws(StreamError) {
      if dialect != nil && stream.unread.isEmpty {
        // Between two requests there is no hurry, and a node that stops need not wait.
        guard try await stream.fill(bytesMax: Self.headReadBytes, interruptible: true) else { return leave() }
        deadline = .after(limits.headerTimeout)
      }
      while true {
        if let arrival = parseHead() { return arrival }
        guard try await stream.fill(bytesMax: Self.headReadBytes, until: deadline) else {
          guard stream.unread.isEmpty else {
            return refuse(Failure(.badRequest, "the connection ended inside the request"))
          }
          // Whoever asked for nothing takes nothing for an answer.
          stream.socket.setResetOnClose(false)
          return leave()
        }
      }
    } catch {
      guard error == .timedOut, !stream.unread.isEmpty || dialect == nil else { return leave() }
      return refuse(Failure(.timedOut, "no complete request within \(limits.headerTimeout) (HeaderTimeout=)"))
    }
  }

  /// Tells a client that asked first that its value is welcome (RFC 9110 section 10.1.1).
  mutating func inviteBody() async throws(StreamError) {
    guard awaitsContinue else { return }
    awaitsContinue = false
    try await stream.send(HTTPDialect.continueHead)
  }

  /// Sends a response; where it is a value, its bytes go along or must follow.
  mutating func send(_ response: Response, value: [UInt8]? = nil) async throws(StreamError) {
    // A request whose body was not read to its end leaves no way to find the next one.
    let keepAlive = keepsAlive && body.isComplete
    let bytes =
      switch dialect ?? .classic {
      case .classic: ClassicDialect.encode(response)
      case .http:
        HTTPDialect.encode(response, keepAlive: keepAlive, headOnly: wantsHeadOnly, now: .now)
      }
    if !keepAlive { ending = .orderly }
    let isFollowed =
      if case .value(let head) = response { !head.offsets.isEmpty && !wantsHeadOnly && value == nil } else { false }
    // A head goes in a packet of its own: sent along with the value's first page it would shift all the pages after it,
    // and each side would copy across their boundaries.
    try await stream.send(value.map { bytes + $0 } ?? bytes)
    if dialect != .http && !isFollowed { stream.socket.setResetOnClose(false) }
  }

  /// From now until `endValue` the connection ends in a reset, whatever ends it: a process that dies must not leave
  /// its client with a clean end of half a value.
  borrowing func beginValue() { stream.socket.setResetOnClose(true) }

  /// The whole value is with the kernel, which delivers it.
  borrowing func endValue() { stream.socket.setResetOnClose(false) }

  /// Sees to it that the connection ends in a reset: what was sent is not whole.
  mutating func abandon() { ending = .reset }

  /// Ends the connection as what happened on it demands.
  consuming func close() async {
    switch ending {
    case .reset: stream.socket.setResetOnClose(true)
    case .immediate: break
    case .open, .orderly: await stream.closeInOrder()
    }
  }

  private mutating func leave() -> Arrival {
    ending = .immediate
    return .gone
  }

  private mutating func refuse(_ failure: Failure) -> Arrival {
    keepsAlive = false
    return .refused(failure)
  }

  /// The request at the start of the unread bytes, or nil while it is not complete.
  private mutating func parseHead() -> Arrival? {
    guard let lineEnd = stream.unread.firstIndex(of: UInt8(ascii: "\n")) else {
      return checkUnendedLine()
    }
    let line = stream.unread[..<lineEnd]
    let dialect = dialect ?? Dialect(firstLine: line)
    // HTTP says itself where an answer ends.
    if self.dialect == nil && dialect == .http { stream.socket.setResetOnClose(false) }
    self.dialect = dialect
    switch dialect {
    case .classic: return parseClassic(line)
    case .http: return parseHTTP()
    }
  }

  /// Nil while the line may still become one; what the other dialect allows is no reason to refuse it.
  private mutating func checkUnendedLine() -> Arrival? {
    guard stream.unread.count >= ClassicLine.bytesMax else { return nil }
    guard dialect == .http || Dialect.beginsAsHTTP(stream.unread) else {
      return refuse(Failure(.headTooLarge, "the first line is longer than \(ClassicLine.bytesMax) bytes"))
    }
    guard stream.unread.count >= HTTPHeadLimits.headBytesMax else { return nil }
    if dialect == nil { stream.socket.setResetOnClose(false) }
    dialect = .http
    return refuse(Failure(.headTooLarge, "the head is longer than \(HTTPHeadLimits.headBytesMax) bytes"))
  }

  private mutating func parseClassic(_ line: ArraySlice<UInt8>) -> Arrival {
    guard line.count < ClassicLine.bytesMax else {
      return refuse(Failure(.headTooLarge, "the first line is longer than \(ClassicLine.bytesMax) bytes"))
    }
    do throws(Failure) {
      let request = try ClassicDialect.request(line: line)
      stream.dropUnread(line.count + 1)
      body = BodyReader(request.body)
      return .request(request)
    } catch {
      return refuse(error)
    }
  }

  private mutating func parseHTTP() -> Arrival? {
    do throws(HTTPSyntaxError) {
      guard case .head(let head, let byteCount) = try HTTPRequestHead.parse(stream.unread.span) else { return nil }
      stream.dropUnread(byteCount)
      // An HTTP/1.0 client that wants to go on would have to be promised so; it gets a new connection instead.
      keepsAlive = head.keepAlive && head.version == .http11
      awaitsContinue = head.expectsContinue
      wantsHeadOnly = head.method == "HEAD"
      return try request(head)
    } catch {
      return refuse(Failure(error))
    }
  }

  private mutating func request(_ head: HTTPRequestHead) throws(HTTPSyntaxError) -> Arrival {
    body = BodyReader(try head.bodyFraming())
    do throws(Failure) {
      if StatusRequest.matches(head) { return .status }
      if let list = try ListRequest(head) { return .list(list) }
      return .request(try HTTPDialect.request(head))
    } catch {
      // Well-formed HTTP that asks for nothing we have; the connection goes on if there is no body to skip.
      return .refused(error)
    }
  }
}
