import KVCore

/// Checks a value's size as it comes, against what the client stated and what the node allows.
struct ValueSize {
  let request: Request
  private let bytesMax: Int

  init(of request: Request, limits: Limits) {
    self.request = request
    bytesMax = limits.valueBytesMax ?? .max
  }

  /// Before the first byte.
  func checkStated() throws(Failure) {
    if let stated = request.valueBytes { try check(stated) }
  }

  /// After so many bytes.
  func check(_ byteCount: Int) throws(Failure) {
    guard byteCount <= bytesMax else {
      throw Failure(.tooLarge, "PUT \(request.key): the value has more than \(bytesMax) bytes (MaxValueSize=)")
    }
    if let stated = request.valueBytes, byteCount > stated {
      throw Failure(.badRequest, "PUT \(request.key): more than the \(stated) bytes stated came")
    }
  }

  /// After the last byte.
  func checkComplete(_ byteCount: Int) throws(Failure) {
    if let stated = request.valueBytes, byteCount != stated {
      throw Failure(.badRequest, "PUT \(request.key): \(byteCount) of the \(stated) bytes stated came")
    }
  }
}
