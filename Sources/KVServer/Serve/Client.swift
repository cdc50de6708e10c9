import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVWire

/// The other end of an accepted connection: reads its requests and writes its responses, in its dialect.
struct Client: ~Copyable {
  /// What came instead of, or as, the next request.
  enum Arrival {
    case request(Request)
    /// Bytes that are no request, or one past all limits; the connection ends after the answer if it must.
    case refused(Failure)
    /// Nothing will come: the client left, or an idle connection has served its time.
    case gone
  }

  /// What a request shows, so that it is known who sends it. Most show nothing, and many connections wait.
  final class Shown: Sendable {
    /// That of a client.
    let credential: Credential
    /// That of another node.
    let signature: PeerSignature?

    init(_ credential: Credential) { (self.credential, signature) = (credential, nil) }

    init?(_ head: HTTPRequestHead) {
      (credential, signature) = (Credential(head.fields), PeerSignature(head))
      if credential == .none, signature == nil { return nil }
    }
  }

  /// The connection.
  var stream: Stream
  /// Follows the current request's body.
  var body = BodyReader(.none)
  private var life = ClientLife()
  private let peer: SocketAddress?
  private var place: Place
  private let cluster: Cluster
  /// What the answer to the current request carries besides; nothing until its head has been read.
  private var answerFields = HTTPFields()
  /// What the current request shows.
  private(set) var shown: Shown?

  init(_ stream: consuming Stream, _ place: consuming Place, _ cluster: Cluster) {
    peer = stream.peer
    self.stream = stream
    self.place = place
    self.cluster = cluster
  }

  private var limits: Limits { cluster.limits }

  /// The other side's address, for log lines.
  var address: String { peer?.description ?? "a closed connection" }

  /// The other side's address without the port, where it is known.
  var ipAddress: IPAddress? { peer?.address }

  /// This side's address, without the port. Where it is the other side's too, both are one host.
  var localAddress: IPAddress? { stream.local?.address }

  /// Whether another request may follow.
  var isOpen: Bool { life.isOpen }

  /// How the client speaks, once that is known.
  var dialect: Dialect? { life.dialect }

  /// Goes through the handshake, if the client begins one.
  mutating func acceptTLS(_ context: TLSContext) async throws(StreamError) {
    try await stream.acceptTLS(context, until: .after(limits.headerTimeout), by: place.interrupter)
  }

  /// Reads the next request's head.
  mutating func nextRequest() async -> Arrival {
    let messages = Messages(interrupter: place.interrupter)
    let isFirst = life.dialect == nil
    place.rest()
    (answerFields, shown) = ([:], nil)
    do throws(StreamError) {
      var arrival: Arrival?
      _ = try await messages.head(
        from: &stream, within: isFirst ? .whole(limits.headerTimeout) : .fromFirstByte(limits.headerTimeout)
      ) { stream in
        arrival = parseHead(&stream, &life, &body, CrossOrigin(cluster.configuration), &answerFields, &shown)
        return arrival != nil
      }
      if let arrival { return place.isGivenUp ? .gone : arrival }
      guard stream.unread.isEmpty else {
        return refuse(Failure(.badRequest, "the connection ended inside the request"))
      }
      return leave(inOrder: true)
    } catch {
      // Whoever has said nothing is told nothing: its next request may be on its way, and would take that for an answer.
      guard error == .timedOut, !stream.unread.isEmpty else { return leave(inOrder: isFirst) }
      return refuse(Failure(.timedOut, "no complete request within \(limits.headerTimeout) (HeaderTimeout=)"))
    }
  }

  /// Says that the request is another node's or a client's own. False where there are too many of them: then the next
  /// answer is the last.
  mutating func isAdmitted(asPeer isPeer: Bool) -> Bool {
    if place.settle(asPeer: isPeer) { return true }
    life.closeAfterAnswer()
    return false
  }

  /// Tells a client that asked first that its value is welcome (RFC 9110 section 10.1.1).
  mutating func inviteBody() async throws(StreamError) {
    if life.welcomed() { try await stream.send(HTTPDialect.continueHead) }
  }

  /// Sends a response; where it is a value, its bytes go along or must follow, until `endValue`.
  mutating func send(_ response: Response, value: [UInt8]? = nil) async throws(StreamError) {
    let isFollowed = if case .value(let head) = response { value == nil && !head.offsets.isEmpty } else { false }
    let exchange = life.answers(isBodyRead: body.isComplete, isFollowed: isFollowed)
    let bytes =
      switch exchange.dialect {
      case .classic: ClassicDialect.encode(response)
      case .http:
        HTTPDialect.encode(
          response, keepAlive: exchange.keepsAlive, headOnly: exchange.wantsHeadOnly, now: .now,
          crossOrigin: answerFields)
      }
    // A head goes in a packet of its own: sent along with the value's first page it would shift all the pages after it,
    // and each side would copy across their boundaries.
    try await stream.send(value.map { bytes + $0 } ?? bytes)
    perform(life.sent())
  }

  /// The whole value is with the kernel, which delivers it. Until then the connection ends in a reset, whatever ends it: a
  /// process that dies must not leave its client with a clean end of half a value.
  mutating func endValue() { perform(life.sentValue()) }

  /// Sees to it that the connection ends in a reset: what was sent is not whole.
  mutating func abandon() { life.abandon() }

  /// Ends the connection as what happened on it demands.
  consuming func close() async {
    switch life.ending {
    case .byReset: stream.setResetOnClose(true)
    case .atOnce: stream.announceEndAtOnce()
    case .inOrder: await stream.closeInOrder(announcedBytes: body.announcedBytes, by: place.interrupter)
    }
  }

  private mutating func leave(inOrder: Bool) -> Arrival {
    perform(life.left(inOrder: inOrder))
    return .gone
  }

  private mutating func refuse(_ failure: Failure) -> Arrival {
    life.askedNonsense()
    return .refused(failure)
  }

  private borrowing func perform(_ action: ClientLife.Action?) {
    if case .setResetOnClose(let resets) = action { stream.setResetOnClose(resets) }
  }
}

/// The request at the start of the unread bytes, or nil while it is not complete.
private func parseHead(
  _ stream: inout Stream, _ life: inout ClientLife, _ body: inout BodyReader, _ crossOrigin: CrossOrigin,
  _ answerFields: inout HTTPFields, _ shown: inout Client.Shown?
) -> Client.Arrival? {
  guard skipEmptyLines(&stream, &life) else { return nil }
  guard let lineEnd = stream.unread.firstIndex(of: UInt8(ascii: "\n")) else {
    return checkUnendedLine(stream, &life)
  }
  let line = stream.unread[..<lineEnd]
  recognise(life.dialect ?? Dialect(firstLine: line), stream, &life)
  guard life.dialect == .http else { return parseClassic(line, &stream, &life, &body, &shown) }
  guard let parsed = takeHead(&stream) else { return nil }
  if case .success(let head) = parsed {
    answerFields = crossOrigin.fields(for: head)
    shown = Client.Shown(head)
  }
  return arrival(parsed, &life, &body, crossOrigin)
}

/// A few empty lines before a request are forgiven (RFC 9112 section 2.2), however they arrive. False while nothing else
/// has come.
private func skipEmptyLines(_ stream: inout Stream, _ life: inout ClientLife) -> Bool {
  let emptyLine = [HTTPByte.carriageReturn, HTTPByte.lineFeed]
  while stream.unread.starts(with: emptyLine), life.forgivesEmptyLine() { stream.dropUnread(emptyLine.count) }
  return !stream.unread.isEmpty
}

/// A head that a client could send may be somewhat longer where another node has relayed it.
private func takeHead(_ stream: inout Stream) -> Result<HTTPRequestHead, HTTPSyntaxError>? {
  let parsed = stream.takeRequestHead()
  guard case .failure(.tooLarge) = parsed, PeerProtocol.isMarked(stream.unread) else { return parsed }
  return stream.takeRequestHead(limits: .ofRelays)
}

private func recognise(_ dialect: Dialect, _ stream: borrowing Stream, _ life: inout ClientLife) {
  if case .setResetOnClose(let resets) = life.recognised(dialect) { stream.setResetOnClose(resets) }
}

/// Nil while the line may still become one; what the other dialect allows is no reason to refuse it.
private func checkUnendedLine(_ stream: borrowing Stream, _ life: inout ClientLife) -> Client.Arrival? {
  guard stream.unread.count >= ClassicLine.bytesMax else { return nil }
  guard life.dialect == .http || Dialect.beginsAsHTTP(stream.unread) else {
    life.askedNonsense()
    return .refused(Failure(.headTooLarge, "the first line is longer than \(ClassicLine.bytesMax) bytes"))
  }
  guard stream.unread.count >= HTTPHeadLimits.headBytesMax else { return nil }
  recognise(.http, stream, &life)
  life.askedNonsense()
  return .refused(Failure(.headTooLarge, "the head is longer than \(HTTPHeadLimits.headBytesMax) bytes"))
}

/// The request in the line, or in the one behind a line that says who asks; nil while that has not come.
private func parseClassic(
  _ line: ArraySlice<UInt8>, _ stream: inout Stream, _ life: inout ClientLife, _ body: inout BodyReader,
  _ shown: inout Client.Shown?
) -> Client.Arrival? {
  do throws(Failure) {
    var line = line
    try checkLength(line)
    if let said = try ClassicDialect.credential(line: line) {
      // Both lines stay unread until there are both: whoever sends the first alone has asked for something.
      let rest = stream.unread[(line.endIndex + 1)...]
      let lineEnd = rest.firstIndex(of: UInt8(ascii: "\n"))
      try checkLength(rest[..<(lineEnd ?? rest.endIndex)])
      guard let lineEnd else { return nil }
      (shown, line) = (Client.Shown(said), rest[..<lineEnd])
    }
    life.asked(ClientLife.Exchange(dialect: .classic))
    let request = try ClassicDialect.request(line: line)
    stream.dropUnread(line.endIndex + 1 - stream.unread.startIndex)
    body = BodyReader(request.body)
    return .request(.value(request))
  } catch {
    life.askedNonsense()
    return .refused(error)
  }
}

private func checkLength(_ line: ArraySlice<UInt8>) throws(Failure) {
  guard line.count < ClassicLine.bytesMax else {
    throw Failure(.headTooLarge, "the first line is longer than \(ClassicLine.bytesMax) bytes")
  }
}

private func arrival(
  _ parsed: Result<HTTPRequestHead, HTTPSyntaxError>, _ life: inout ClientLife, _ body: inout BodyReader,
  _ crossOrigin: CrossOrigin
) -> Client.Arrival {
  do throws(HTTPSyntaxError) {
    let head = try parsed.get()
    body = BodyReader(try head.bodyFraming())
    // An HTTP/1.0 client that wants to go on would have to be promised so; it gets a new connection instead.
    life.asked(
      ClientLife.Exchange(
        dialect: .http, keepsAlive: head.keepAlive && head.version == .http11,
        awaitsContinue: head.expectsContinue, wantsHeadOnly: head.method == "HEAD"))
    do throws(Failure) {
      try crossOrigin.checkHost(head)
      return .request(try HTTPDialect.request(head, now: .now))
    } catch {
      // Well-formed HTTP that asks for nothing we have; the connection goes on if there is no body to skip.
      return .refused(error)
    }
  } catch {
    life.askedNonsense()
    return .refused(Failure(error))
  }
}
