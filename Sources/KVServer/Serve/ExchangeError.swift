import KVCore
import KVStore
import KVWire

/// Why a request was not served. The cases divide by what can still be said to the client.
enum ExchangeError: Error {
  /// No byte of a response has gone out: the client is told.
  case refused(Failure)
  /// A response has begun, or the client is not there any more: the connection is reset.
  case broken(reason: String)

  /// A client's value that could not be received to its end.
  init(_ error: BodyError<StoreError>, receiving request: ValueRequest) {
    switch error {
    case .consumer(let error): self = .refused(error.failure(request.operation, request.key))
    case .stream(let error): self = ExchangeError(error, receiving: request)
    case .brokenOff: self = .broken(reason: "the client broke the value off")
    case .malformed(let error): self = .refused(Failure(error))
    }
  }

  /// A connection that failed while a client's value was awaited.
  init(_ error: StreamError, receiving request: ValueRequest) {
    switch error {
    case .timedOut:
      self = .refused(Failure(.timedOut, "PUT \(request.key): no byte came for too long (IdleTimeout=)"))
    case .stopped, .failed: self = .broken(reason: "\(error)")
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

  /// `inviteBody` for exchanges.
  mutating func invite() async throws(ExchangeError) {
    do throws(StreamError) { try await inviteBody() } catch { throw .broken(reason: "\(error)") }
  }

  /// Hands over the next bytes of the request's body.
  @inline(__always)
  mutating func stepBody<Consumer: Error>(
    to consume: (RawSpan) throws(Consumer) -> Void
  ) throws(BodyError<Consumer>) -> BodyReader.Step {
    try body.step(from: &stream, to: consume)
  }

  /// Waits for more of the request's body.
  borrowing func waitForBody(of request: ValueRequest) async throws(ExchangeError) {
    do throws(StreamError) { try await stream.waitReadable() } catch { throw ExchangeError(error, receiving: request) }
  }

  /// Waits until the client takes more of the answer.
  borrowing func waitToSend() async throws(ExchangeError) {
    do throws(StreamError) {
      try await stream.waitWritable()
    } catch {
      throw .broken(reason: "the client does not take the value: \(error)")
    }
  }
}

/// Runs a check whose failure is told to the client.
func refusing(_ check: () throws(Failure) -> Void) throws(ExchangeError) {
  do throws(Failure) { try check() } catch { throw .refused(error) }
}
