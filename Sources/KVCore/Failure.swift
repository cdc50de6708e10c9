/// Why a request could not be served, fit to be told to whoever asked.
///
/// The cases divide by what the client can do about them, and so by HTTP status.
package struct Failure: Error, Equatable, Sendable, CustomStringConvertible {
  /// The classes of failures; the raw value is the HTTP status (RFC 9110 section 15).
  package enum Kind: Int, Sendable {
    case badRequest = 400
    case unauthorized = 401
    case forbidden = 403
    case notFound = 404
    case methodNotAllowed = 405
    case timedOut = 408
    case lengthRequired = 411
    case preconditionFailed = 412
    case tooLarge = 413
    case misdirected = 421
    case repeatedOtherwise = 422
    case headTooLarge = 431
    case storeFailed = 500
    case notImplemented = 501
    case unavailable = 503
    case versionNotSupported = 505
    case diskFull = 507
  }

  /// What the client can do about it.
  package let kind: Kind
  /// One line: what failed, about which key.
  package let message: String

  /// What is known of a write that was not confirmed.
  package let outcome: WriteOutcome?

  /// A failure to be told in one line.
  package init(_ kind: Kind, _ message: String, outcome: WriteOutcome? = nil) {
    self.kind = kind
    self.message = message
    self.outcome = outcome
  }

  /// Whether the cluster is to blame, and not whoever asked.
  package var isOurs: Bool { kind.rawValue >= 500 || kind == .misdirected }

  /// What a client is told past `MaxConnections=` of a node.
  package static func tooManyConnections(at nodeName: String) -> Failure {
    Failure(.unavailable, "\(nodeName): too many connections, try again later (MaxConnections=)")
  }

  /// There is nothing under the key.
  package static func absent(_ operation: Operation, _ key: Key) -> Failure {
    Failure(.notFound, "\(operation.rawValue) \(key): no such key")
  }

  /// A body came with a request to which none belongs.
  package static func needlessBody(of request: Request) -> Failure {
    var subject = request.subject
    if case .value(let request) = request { subject = "\(request.operation.method) \(request.key)" }
    return Failure(.badRequest, "\(subject): a body makes no sense here")
  }

  /// The message.
  package var description: String { message }
}

/// What is known of a write that was not confirmed. The raw value is what the field says.
package enum WriteOutcome: String, Sendable {
  /// Nothing was written, and nothing will be.
  case none
  /// It may have been written, or may be yet.
  case unknown
}

/// Runs a call and turns the error it throws into the caller's own.
///
/// With typed throws, a `do` block for each call would say the same at length, and could not initialise a
/// non-copyable constant.
@inline(__always)
package func translatingError<Result: ~Copyable, Inner: Error, Outer: Error>(
  _ translate: (Inner) -> Outer, _ call: () throws(Inner) -> Result
) throws(Outer) -> Result {
  do throws(Inner) { return try call() } catch { throw translate(error) }
}
