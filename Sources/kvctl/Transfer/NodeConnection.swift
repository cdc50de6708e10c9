import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVWire

/// A connection to a node, which carries one question at a time. It belongs to the task that opened it.
final class NodeConnection {
  let endpoint: Endpoint
  /// What is being asked, for errors: `GET mykey`.
  var subject: String
  /// Whether another question may follow once the answer has been read to its end.
  private(set) var isReusable = true
  private var stream: Stream

  private init(_ endpoint: Endpoint, _ stream: consuming Stream, subject: String) {
    self.endpoint = endpoint
    self.stream = stream
    self.subject = subject
  }

  /// Connects to the first of the nodes that can be reached.
  static func open(
    _ candidates: [Endpoint], _ limits: Limits, subject: String
  ) async throws(CommandError) -> NodeConnection {
    var failure = CommandError(.failure, "\(subject): no node to ask")
    for endpoint in candidates {
      do throws(CommandError) {
        return try await open(endpoint, limits, subject: subject)
      } catch {
        failure = error
      }
    }
    throw failure
  }

  private static func open(
    _ endpoint: Endpoint, _ limits: Limits, subject: String
  ) async throws(CommandError) -> NodeConnection {
    let reason: String
    do {
      var stream = try await Stream.connect(
        to: try addresses(of: endpoint), within: limits.connectTimeout, idleTimeout: limits.idleTimeout)
      if let tls = endpoint.tls {
        try await stream.connectTLS(tls, to: endpoint.address.host, until: .after(limits.connectTimeout))
      }
      return NodeConnection(endpoint, stream, subject: subject)
    } catch let error as StreamError where error == .timedOut {
      reason = "no answer within \(limits.connectTimeout)"
    } catch {
      reason = "\(error)"
    }
    throw CommandError(.unreachable, "\(subject): \(endpoint) cannot be reached: \(reason)", isUnsent: true)
  }

  private static func addresses(of endpoint: Endpoint) throws(ResolveError) -> [SocketAddress] {
    switch endpoint.address.host {
    case .address(let address): [SocketAddress(address, port: endpoint.address.port)]
    case .name(let name): try SocketAddress.resolve(host: name, port: endpoint.address.port)
    }
  }

  /// Sends a request's head, and a small body where there is one, and reads the head of the answer; that is 100 where a
  /// node that was asked wants the body.
  func ask(_ head: HTTPRequestHead, _ body: [UInt8] = []) async throws(CommandError) -> HTTPResponseHead {
    var head = head
    if !head.fields.contains("Host") { head.fields.append("Host", "\(endpoint.address)") }
    if let token = endpoint.token { head.fields.append("Authorization", "Bearer \(token)") }
    head.fields.append("User-Agent", "kvctl/\(Version.current)")
    let bytes = head.encoded()
    do throws(StreamError) {
      try await stream.send(bytes, more: !body.isEmpty)
      if !body.isEmpty { try await stream.send(body) }
    } catch {
      // A node that refuses a body answers and closes: what it said explains more than the reset.
      guard hasArrived else { throw failure(error) }
    }
    return try await receiveHead()
  }

  /// Reads the head of an answer.
  func receiveHead() async throws(CommandError) -> HTTPResponseHead {
    let answer: Result<HTTPResponseHead, HTTPSyntaxError>?
    do throws(StreamError) {
      answer = try await Messages().response(from: &stream, within: .whole(stream.idleTimeout))
    } catch {
      throw failure(error)
    }
    switch answer {
    case .success(let head):
      isReusable = isReusable && head.keepAlive
      return head
    case .failure(let error): throw failure(error)
    case nil: throw brokenOff
    }
  }

  /// Whether the node has begun to answer, or closed the connection.
  var hasArrived: Bool { stream.hasArrived }

  /// Sends the bytes of an array in that range, waiting as often as needed.
  func send(_ bytes: [UInt8], _ range: Range<Int>, more: Bool = false) async throws(CommandError) {
    do throws(StreamError) { try await stream.send(bytes[range], more: more) } catch { throw failure(error) }
  }

  /// Hands over the body that follows a head, to its end.
  func receiveBody(
    _ head: HTTPResponseHead, method: String = "GET", to consume: (RawSpan) throws(CommandError) -> Void
  ) async throws(CommandError) {
    let framing: BodyFraming
    do throws(HTTPSyntaxError) { framing = try head.bodyFraming(requestMethod: method) } catch { throw failure(error) }
    if framing == .untilEnd { isReusable = false }
    var body = BodyReader(framing)
    while !body.isComplete {
      var consumerError: CommandError?
      let count: Int?
      do throws(BodyError) {
        count = try body.pass(from: &stream) { bytes in
          do throws(CommandError) { try consume(bytes) } catch { consumerError = error }
        }
      } catch {
        throw failure(error)
      }
      if let consumerError { throw consumerError }
      guard count == nil else { continue }
      do throws(StreamError) { try await stream.wait(.readable) } catch { throw failure(error) }
    }
  }

  /// The body that follows a head, to be received in pieces.
  func body(of head: HTTPResponseHead, method: String = "GET") throws(CommandError) -> BodyReader {
    do throws(HTTPSyntaxError) {
      return BodyReader(try head.bodyFraming(requestMethod: method))
    } catch {
      throw failure(error)
    }
  }

  /// The next piece of a body, or nil at its end.
  func receive(_ body: inout BodyReader, bytesMax: Int) async throws(CommandError) -> [UInt8]? {
    var piece: [UInt8] = []
    while !body.isComplete, piece.count < bytesMax {
      let count: Int?
      do throws(BodyError) {
        count = try body.pass(from: &stream) { bytes in piece.append(copying: bytes) }
      } catch {
        throw failure(error)
      }
      guard count == nil else { continue }
      if !piece.isEmpty { break }
      do throws(StreamError) { try await stream.wait(.readable) } catch { throw failure(error) }
    }
    return piece.isEmpty ? nil : piece
  }

  /// The whole answer to a GET; any status but 200 is an error.
  func text(_ head: HTTPRequestHead, bytesMax: Int) async throws(CommandError) -> [UInt8] {
    let answer = try await ask(head)
    guard answer.status == 200 else { throw try await failure(answer, method: "GET") }
    return try await receiveText(answer, bytesMax: bytesMax)
  }

  /// The body that follows a head; one that is longer is an error.
  func receiveText(
    _ head: HTTPResponseHead, method: String = "GET", bytesMax: Int
  ) async throws(CommandError) -> [UInt8] {
    let tooLong = CommandError(.failure, "\(subject): \(endpoint) answered with more than \(bytesMax) bytes")
    var text: [UInt8] = []
    try await receiveBody(head, method: method) { bytes throws(CommandError) in
      guard text.count + bytes.byteCount <= bytesMax else { throw tooLong }
      text.append(copying: bytes)
    }
    return text
  }

  /// Reads the text of an error and returns what kvctl says of it.
  func failure(_ head: HTTPResponseHead, method: String) async throws(CommandError) -> CommandError {
    let text = try await receiveText(head, method: method, bytesMax: PeerProtocol.errorTextBytesMax)
    let line = PrintableText.escape(text.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") })
    guard line.isEmpty else { return CommandError(httpStatus: head.status, line) }
    let reason = HTTPStatus.reasonPhrase(head.status)
    return CommandError(httpStatus: head.status, "\(subject): \(endpoint) answered \(head.status) \(reason)")
  }

  private func failure(_ error: BodyError) -> CommandError {
    switch error {
    case .stream(let error): failure(error)
    case .brokenOff: brokenOff
    case .malformed(let error): failure(error)
    }
  }

  private func failure(_ error: HTTPSyntaxError) -> CommandError {
    CommandError(.failure, "\(subject): \(endpoint) answered with something that is not the protocol: \(error)")
  }

  private func failure(_ error: StreamError) -> CommandError {
    let what = error == .timedOut ? "has not moved a byte for \(stream.idleTimeout)" : "failed: \(error)"
    return CommandError(.unreachable, "\(subject): \(endpoint) \(what)")
  }

  private var brokenOff: CommandError {
    CommandError(.unreachable, "\(subject): \(endpoint) closed the connection too early")
  }
}

/// Connections of one task, kept for its next question to the same nodes.
final class ConnectionCache {
  private let nodes: Nodes
  private var idle: [PeerAddress: NodeConnection] = [:]

  init(_ nodes: Nodes) {
    self.nodes = nodes
  }

  /// Asks the first of the nodes that can be reached. A kept connection that turns out to be closed is replaced, once:
  /// so what is asked must be fit to be asked twice.
  func with<Result>(
    _ candidates: [Endpoint], subject: String, _ ask: (NodeConnection) async throws(CommandError) -> Result
  ) async throws(CommandError) -> Result {
    if let address = candidates.first?.address, let kept = idle.removeValue(forKey: address) {
      kept.subject = subject
      do throws(CommandError) {
        let result = try await ask(kept)
        keep(kept, address)
        return result
      } catch {
        guard error.status == .unreachable else {
          if error.status != .failure { keep(kept, address) }
          throw error
        }
      }
    }
    let connection = try await NodeConnection.open(candidates, nodes.configuration.limits, subject: subject)
    let result = try await ask(connection)
    if let first = candidates.first, connection.endpoint == first { keep(connection, first.address) }
    return result
  }

  private func keep(_ connection: NodeConnection, _ address: PeerAddress) {
    if connection.isReusable { idle[address] = connection }
  }
}
