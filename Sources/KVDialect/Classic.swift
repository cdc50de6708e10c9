import KVCore
import KVHTTP

/// The classic dialect: how its requests are read and its responses written. docs/protocol.md specifies it.
package enum ClassicDialect {
  /// The request in a line, its LF excluded; a CR before it is dropped.
  ///
  /// A PUT's value ends with the stream, or with the last of the bytes stated: some clients cannot end theirs before they
  /// have their answer.
  package static func request(line: ArraySlice<UInt8>) throws(Failure) -> ValueRequest {
    let line = try ClassicLine(parsing: line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
    var request = ValueRequest(line.operation, line.key)
    if line.operation == .put { request.body = line.valueBytes.map { .exactly($0) } ?? .untilEnd }
    request.valueBytes = line.valueBytes
    return request
  }

  /// The token in a line before the request, `AUTH token`, its LF excluded; nil where it is another line.
  package static func credential(line: ArraySlice<UInt8>) throws(Failure) -> Credential? {
    let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    let words = line.split(separator: UInt8(ascii: " "))
    guard words.first?.elementsEqual("AUTH".utf8) == true else { return nil }
    guard words.count == 2 else {
      throw Failure(.badRequest, "AUTH is followed by a token, and the request by a line of its own")
    }
    return .token(String(decoding: words[1], as: UTF8.self))
  }

  /// What is sent for a response; a value's bytes follow.
  package static func encode(_ response: Response) -> [UInt8] {
    switch response {
    case .stored(let key, _, _): key.bytes + [UInt8(ascii: "\n")]
    case .value, .deleted: []
    case .notModified, .rangeNotSatisfiable, .json, .message, .text, .methods:
      preconditionFailure("the classic dialect has no way to ask for this")
    case .failure(let failure): Array("\(failureOpening)\(failure.message)\n".utf8)
    }
  }

  /// The reason in the line that tells of a failure, its LF excluded, or nil where it is another line.
  package static func failureReason(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    line.starts(with: failureOpening.utf8) ? line.dropFirst(failureOpening.utf8.count) : nil
  }

  private static let failureOpening = "ERROR: "
}

/// The one line that opens a request in the classic dialect: `PUT key [length]`, `GET key` or `DEL key`.
package struct ClassicLine: Equatable, Sendable {
  /// The longest line, its LF included.
  package static let bytesMax = 4096

  /// What is asked.
  package let operation: Operation
  /// About which key.
  package let key: Key
  /// How many bytes the value will have, where the client said so.
  package let valueBytes: Int?

  /// Reads a line from which the LF, and a CR before it, have been taken away.
  ///
  /// Words are separated by one or more spaces. Further words are refused rather than ignored: a key with a
  /// space in it would otherwise quietly become another key.
  package init(parsing line: ArraySlice<UInt8>) throws(Failure) {
    let words = line.split(separator: UInt8(ascii: " "))
    guard let verb = words.first, let operation = Operation(rawValue: PrintableText.escape(Array(verb))),
      operation != .head
    else {
      throw Failure(.badRequest, "Unsupported operation (only PUT/GET/DEL supported)")
    }
    self.operation = operation
    guard words.count > 1 else { throw Failure(.badRequest, "\(operation.rawValue) needs a key") }
    do throws(KeyError) {
      key = try Key(words[1])
    } catch {
      throw Failure(.badRequest, "\(operation.rawValue): \(error)")
    }
    let lastAllowed = operation == .put ? 3 : 2
    if words.count > lastAllowed {
      throw Failure(
        .badRequest,
        "\(operation.rawValue) \(key): unexpected '\(PrintableText.escape(Array(words[lastAllowed])))' after the key")
    }
    valueBytes = words.count == 3 ? try Self.length(words[2], key: key) : nil
  }

  private static func length(_ word: ArraySlice<UInt8>, key: Key) throws(Failure) -> Int {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard word.allSatisfy(digits.contains), let length = Int(PrintableText.escape(Array(word))) else {
      throw Failure(.badRequest, "PUT \(key): '\(PrintableText.escape(Array(word)))' is no length in bytes")
    }
    return length
  }
}
