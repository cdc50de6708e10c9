/// An operation of a client as it saw it.
struct Operation {
  enum Kind {
    case get, put, delete, create
    case exchange(expected: Int?)
  }

  /// A kind of which the rest is still open.
  enum Choice {
    case get, put, delete, create, exchange
  }

  enum Result: Hashable {
    /// What a get found.
    case found(Int?)
    case done
    case refused
    /// It certainly had no effect.
    case nothing
    /// It had one, will have one, or never will.
    case unknown
  }

  let key: Int
  let kind: Kind
  let value: Int
  /// Whether the client has asked for the very same before, and was not told what came of it.
  var isRepeat = false
  let begun: Double
  var ended = Double.infinity
  var result = Result.unknown
}

/// Whether one order of the operations explains all answers, each at a moment between its request and its answer: Wing and
/// Gong's search (1993) with Lowe's memory of where it has been (2017).
struct Checker {
  private struct Place: Hashable {
    let taken: UInt64
    let state: Int?

    /// States are few and small.
    func hash(into hasher: inout Hasher) { hasher.combine(taken ^ UInt64(state ?? 0) << 58) }
  }

  private let operations: [Operation]

  /// The operations on one key.
  init(_ operations: [Operation]) {
    self.operations = operations.filter { $0.result != .nothing }
    precondition(self.operations.count <= 64, "a history has at most 64 operations")
  }

  var isLinearizable: Bool {
    var required: UInt64 = 0
    for (index, operation) in operations.enumerated() where operation.ended < .infinity { required |= 1 << index }
    var seen: Set<Place> = []
    var stack = [Place(taken: 0, state: nil)]
    while let place = stack.popLast() {
      if place.taken & required == required { return true }
      guard seen.insert(place).inserted else { continue }
      var deadline = Double.infinity
      for index in operations.indices where place.taken >> index & 1 == 0 {
        deadline = min(deadline, operations[index].ended)
      }
      // What began first is tried first: it is last on the stack.
      for index in operations.indices.reversed()
      where place.taken >> index & 1 == 0 && operations[index].begun <= deadline {
        guard let state = Self.step(operations[index], place.state) else { continue }
        stack.append(Place(taken: place.taken | 1 << index, state: state))
      }
    }
    return false
  }

  /// The state after the operation, or nil (of two) where it cannot have answered so.
  private static func step(_ operation: Operation, _ state: Int?) -> Int?? {
    var fits: Bool
    var after: Int? = operation.value
    switch operation.kind {
    case .get:
      if case .found(let value) = operation.result, value != state { return nil }
      return .some(state)
    case .put: fits = true
    case .delete:
      fits = true
      after = nil
    case .create: fits = state == nil
    case .exchange(let expected): fits = state == expected
    }
    // While an earlier attempt's value is there, it is done.
    if operation.isRepeat, state == operation.value { fits = true }
    switch operation.result {
    case .done: return fits ? .some(after) : nil
    case .refused: return fits ? nil : .some(state)
    default: return .some(fits ? after : state)
    }
  }
}
