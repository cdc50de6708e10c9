/// An HTTP response as the test reads it: whole, with its length stated.
package struct HTTPAnswer: Equatable {
  package let status: Int
  /// The head as it came, in lower case.
  package let head: String
  package let text: String

  /// The value of a field, or nil.
  package subscript(_ name: String) -> String? {
    let prefix = name.lowercased() + ": "
    return head.split(separator: "\r\n").first { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
  }
}

extension Wire {
  /// The next response; one to a request without a body in the answer has none either.
  package mutating func receiveAnswer() async throws -> HTTPAnswer {
    let head = try await receive(through: "\r\n\r\n").lowercased()
    let status = Int(head.dropFirst(9).prefix(3)) ?? 0
    let answer = HTTPAnswer(status: status, head: head, text: "")
    let byteCount = answer["content-length"].flatMap { Int($0) } ?? 0
    return HTTPAnswer(status: status, head: head, text: String(decoding: try await receive(byteCount), as: UTF8.self))
  }
}
