import KVCluster
import KVCore
import KVLinux
import KVDialect
import KVStore
import KVWire

/// Why a request was not served. The cases divide by what can still be said to the client.
enum ExchangeError: Error {
  /// No byte of a response has gone out: the client is told.
  case refused(Failure)
  /// A response has begun, or the client is not there any more: the connection is reset.
  case broken(reason: String)

  /// A client's value that could not be received to its end.
  init(_ error: BodyError, receiving subject: String) {
    switch error {
    case .stream(.timedOut):
      self = .refused(Failure(.timedOut, "\(subject): no byte came for too long (IdleTimeout=)"))
    case .stream(let error): self = .broken(reason: "\(error)")
    case .brokenOff: self = .broken(reason: "the client closed the connection amid the value")
    case .malformed(let error): self = .refused(Failure(error))
    }
  }
}

extension Client {
  /// `send` for exchanges.
  mutating func answer(_ response: Response, value: [UInt8]? = nil) async throws(ExchangeError) {
    do throws(StreamError) {
      try await send(response, value: value)
    } catch {
      throw .broken(reason: "the client does not take the answer: \(error)")
    }
  }

  /// Reads a body that must turn out to be empty: some proxies announce one with every request.
  mutating func receiveEmptyBody(_ request: Request) async throws(ExchangeError) {
    if body.isComplete { return }
    try await invite()
    var byteCount = 0
    while !body.isComplete {
      let moved: Int?
      do throws(BodyError) {
        moved = try body.pass(from: &stream) { byteCount += $0.byteCount }
      } catch {
        throw ExchangeError(error, receiving: request.subject)
      }
      guard byteCount == 0 else { throw .refused(.needlessBody(of: request)) }
      if moved != nil { continue }
      do throws(StreamError) { try await stream.wait(.readable) } catch {
        throw ExchangeError(.stream(error), receiving: request.subject)
      }
    }
  }

  /// Reads the body of another node's message.
  mutating func receiveMessage(_ request: Request) async throws(ExchangeError) -> [UInt8] {
    try await invite()
    var message: [UInt8] = []
    while !body.isComplete {
      let moved: Int?
      do throws(BodyError) {
        moved = try body.pass(from: &stream) { message.append(copying: $0) }
      } catch {
        throw ExchangeError(error, receiving: request.subject)
      }
      guard message.count <= NodeQuestion.writtenBytesMax else {
        throw .refused(Failure(.tooLarge, "MESSAGE: it has more than \(NodeQuestion.writtenBytesMax) bytes"))
      }
      if moved != nil { continue }
      do throws(StreamError) { try await stream.wait(.readable) } catch {
        throw ExchangeError(.stream(error), receiving: request.subject)
      }
    }
    if let digest = shown?.signature?.bodyDigest, digest != PeerSignature.bodyDigest(SHA256.digest(message)) {
      throw .refused(Failure(.badRequest, "MESSAGE: it is not the one that was signed"))
    }
    return message
  }

  /// `inviteBody` for exchanges.
  mutating func invite() async throws(ExchangeError) {
    do throws(StreamError) { try await inviteBody() } catch { throw .broken(reason: "\(error)") }
  }
}

/// Runs a check whose failure is told to the client.
func refusing(_ check: () throws(Failure) -> Void) throws(ExchangeError) {
  do throws(Failure) { try check() } catch { throw .refused(error) }
}

/// Runs a call to the store whose failure is told to whoever made the request.
func stored<Result: ~Copyable>(
  _ request: ValueRequest, _ call: () throws(StoreError) -> Result
) throws(ExchangeError) -> Result {
  do throws(StoreError) { return try call() } catch { throw .refused(error.failure(request.operation, request.key)) }
}
