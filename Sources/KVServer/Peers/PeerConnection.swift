import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVWire

/// A connection to the owner of a key, which carries one exchange at a time.
struct PeerConnection: ~Copyable, Sendable {
  /// The connection.
  var stream: Stream
  /// Whether it comes from the pool: the owner may have closed it meanwhile, without a fault of anybody's.
  let isReused: Bool
  /// Whether another exchange may follow once this one is complete.
  private(set) var isReusable = true

  /// Within what time an answer must have come; the idle timeout where nothing is said.
  var answerTimeout: Duration?
  private let acknowledgementTimeout: Duration
  private let signing: PeerSigning?
  private var isPatient = false

  /// A node that has been cut off acknowledges nothing, and is to be given up as soon as one that cannot be connected
  /// to: so what is sent must be acknowledged within that time.
  init(_ stream: consuming Stream, isReused: Bool, acknowledgementTimeout: Duration, signing: PeerSigning?) {
    self.signing = signing
    if !isReused { stream.setAcknowledgementTimeout(acknowledgementTimeout) }
    self.stream = stream
    self.isReused = isReused
    self.acknowledgementTimeout = acknowledgementTimeout
  }

  /// Gives the other node time while a value is moved: it may be slow to take it, and its closed window counts as
  /// silence too.
  mutating func bePatient() {
    isPatient = true
    stream.setAcknowledgementTimeout(stream.idleTimeout)
  }

  /// Sends a request's head and reads the answer's: for a value, 100 if the owner agrees to take it.
  mutating func ask(_ head: HTTPRequestHead, _ body: [UInt8] = []) async throws(PeerError) -> HTTPResponseHead {
    do throws(StreamError) { try await stream.send((signing?.signed(head) ?? head).encoded() + body) } catch {
      throw .stream(error)
    }
    return try await receiveHead()
  }

  /// Sends a body that the other node has asked for, and reads the text that it answers with.
  mutating func exchange(
    _ body: [UInt8], _ head: HTTPRequestHead, bytesMax: Int
  ) async throws(PeerError) -> [UInt8] {
    do throws(StreamError) { try await stream.send(body) } catch { throw .stream(error) }
    let answer = try await receiveHead()
    let text = try await receiveText(answer, requestMethod: head.method, bytesMax: bytesMax)
    guard answer.status == 200 else { throw .malformed(.bad("the status \(answer.status) to a message")) }
    return text
  }

  /// Reads a response's head, which must be there as soon as its first byte must: a node that sends it drop by drop is
  /// no better than one that is silent.
  mutating func receiveHead() async throws(PeerError) -> HTTPResponseHead {
    let answer: Result<HTTPResponseHead, HTTPSyntaxError>?
    do throws(StreamError) {
      answer = try await Messages().response(from: &stream, within: .whole(answerTimeout ?? stream.idleTimeout))
    } catch {
      throw .stream(error)
    }
    switch answer {
    case .success(let head):
      isReusable = isReusable && head.keepAlive
      return head
    case .failure(let error): throw PeerError(notHTTP: stream.unread, error)
    case nil: throw stream.unread.isEmpty ? .closed : .malformed(.bad("the answer breaks off in its head"))
    }
  }

  /// What an answer's head, and the text of an error, amount to. A value's bytes are left to be read.
  mutating func response(
    _ head: HTTPResponseHead, to request: ValueRequest, _ owner: Peer
  ) async throws(PeerError) -> Response {
    let response: Response?
    do throws(HTTPSyntaxError) {
      response = try PeerProtocol.response(head, to: request)
    } catch {
      throw .malformed(error)
    }
    if request.operation == .get, let response, case .value = response { return response }
    let text = try await receiveText(
      head, requestMethod: request.operation.method, bytesMax: PeerProtocol.errorTextBytesMax)
    return response
      ?? .failure(
        PeerProtocol.failure(
          status: head.status, outcome: head.fields[PeerProtocol.outcomeField], text: text[...], from: owner))
  }

  /// Rules out another exchange: the owner was not given all of a value.
  mutating func spoil() { isReusable = false }

  /// Gives the connection up for another exchange.
  consuming func release() -> Stream {
    if isPatient { stream.setAcknowledgementTimeout(acknowledgementTimeout) }
    return stream
  }

  /// Reads what follows a head; what is beyond so many bytes is left out, and the connection is not used again.
  mutating func receiveText(
    _ head: HTTPResponseHead, requestMethod: String, bytesMax: Int
  ) async throws(PeerError) -> [UInt8] {
    let framing: BodyFraming
    do throws(HTTPSyntaxError) { framing = try head.bodyFraming(requestMethod: requestMethod) } catch {
      throw .malformed(error)
    }
    if framing == .untilEnd { isReusable = false }
    var text: [UInt8] = []
    var body = BodyReader(framing)
    while text.count <= bytesMax {
      do throws(BodyError) {
        let count = try body.pass(from: &stream) { text.append(copying: $0) }
        if body.isComplete { return text }
        if count != nil { continue }
      } catch {
        throw PeerError(error)
      }
      do throws(StreamError) { try await stream.wait(.readable) } catch { throw .stream(error) }
    }
    isReusable = false
    return Array(text.prefix(bytesMax))
  }
}

extension PeerError {
  init(_ error: BodyError) {
    switch error {
    case .stream(let error): self = .stream(error)
    case .brokenOff: self = .malformed(.bad("the answer breaks off"))
    case .malformed(let error): self = .malformed(error)
    }
  }
}
