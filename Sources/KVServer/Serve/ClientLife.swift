import KVDialect
import KVHTTP

/// The life of an accepted connection, event by event: what comes next, and how it is to end. It knows no socket; where
/// an event asks for something to be done to it, the method says so.
struct ClientLife: ~Copyable {
  /// How a connection ends.
  enum Ending: Equatable, Sendable {
    /// In order, so that the client gets every byte of the answer.
    case inOrder
    /// At once: the client is gone, or has nothing under way.
    case atOnce
    /// By a reset, so that no client takes what it got for whole.
    case byReset
  }

  /// What is to be done with the socket.
  enum Action: Equatable, Sendable {
    /// From now on, whatever closes the socket resets the connection; or does not.
    case setResetOnClose(Bool)
  }

  /// What a request's head says of the exchange that it begins.
  struct Exchange: Equatable, Sendable {
    let dialect: Dialect
    /// Whether the client wants another exchange to follow.
    var keepsAlive = false
    /// Whether the client waits to be told that its value is welcome.
    var awaitsContinue = false
    /// Whether the client wants the answer's head alone.
    var wantsHeadOnly = false
  }

  private enum State {
    /// For the next request's head.
    case waiting
    /// A request has come, and nothing of its answer has gone.
    case asked(Exchange)
    /// A value's head has gone, and all of its bytes must follow.
    case sending(Exchange)
    case ending(Ending)

    /// After an answer either the next request may come or the connection ends.
    static func answered(_ exchange: Exchange) -> State { exchange.keepsAlive ? .waiting : .ending(.inOrder) }
  }

  private var state = State.waiting
  /// Those before the next request.
  private var emptyLineCount = 0
  /// How the client speaks, once its first line has told.
  private(set) var dialect: Dialect?

  /// Whether another request may come.
  var isOpen: Bool { if case .ending = state { false } else { true } }

  /// How the connection is to end now.
  var ending: Ending { if case .ending(let ending) = state { ending } else { .inOrder } }

  /// The first line tells the dialect.
  mutating func recognised(_ dialect: Dialect) -> Action? {
    guard self.dialect == nil else { return nil }
    self.dialect = dialect
    // HTTP says itself where an answer ends.
    return dialect == .http ? .setResetOnClose(false) : nil
  }

  /// An empty line has come where a request should begin. False where it is one too many.
  mutating func forgivesEmptyLine() -> Bool {
    guard dialect != .classic, emptyLineCount < HTTPHeadLimits.emptyLinesMax else { return false }
    emptyLineCount += 1
    return true
  }

  /// A request's head has come.
  mutating func asked(_ exchange: Exchange) {
    guard case .waiting = state else { preconditionFailure("a request before the last one was answered") }
    emptyLineCount = 0
    state = .asked(exchange)
  }

  /// Bytes have come that are no request: an answer, and then the end.
  mutating func askedNonsense() { state = .asked(Exchange(dialect: dialect ?? .classic)) }

  /// No request will come. Whoever asked for nothing takes nothing for an answer.
  mutating func left(inOrder: Bool) -> Action? {
    state = .ending(.atOnce)
    return inOrder ? .setResetOnClose(false) : nil
  }

  /// The request is the last one, whatever its client wants.
  mutating func closeAfterAnswer() {
    if case .asked(var exchange) = state {
      exchange.keepsAlive = false
      state = .asked(exchange)
    }
  }

  /// The value is welcome. True where the client waits to be told.
  mutating func welcomed() -> Bool {
    guard case .asked(var exchange) = state, exchange.awaitsContinue else { return false }
    exchange.awaitsContinue = false
    state = .asked(exchange)
    return true
  }

  /// An answer goes out: how it is to be written. A request whose body was not read to its end leaves no way to find the
  /// next one. `isFollowed` says that a value's bytes come behind.
  mutating func answers(isBodyRead: Bool, isFollowed: Bool) -> Exchange {
    guard case .asked(var exchange) = state else { preconditionFailure("an answer to no request") }
    exchange.keepsAlive = exchange.keepsAlive && isBodyRead
    state = isFollowed && !exchange.wantsHeadOnly ? .sending(exchange) : .answered(exchange)
    return exchange
  }

  /// The answer, or the head of a value, is with the kernel.
  func sent() -> Action? {
    if case .sending = state { return .setResetOnClose(true) }
    return dialect == .http ? nil : .setResetOnClose(false)
  }

  /// All bytes of the value are with the kernel, which delivers them.
  mutating func sentValue() -> Action? {
    guard case .sending(let exchange) = state else { return nil }
    state = .answered(exchange)
    return .setResetOnClose(false)
  }

  /// What was sent is not whole, and will not be.
  mutating func abandon() { state = .ending(.byReset) }
}
