import KVCore
import Testing
import TestSupport

@testable import KVServer

/// What is HTTP's own on a client's connection: bodies that nobody wants, and what answers carry besides.
@Suite(.hangLimit) struct HTTPServeTests {
  private static let questions = ["GET /?list", "GET /?status", "GET /?health", "OPTIONS /", "OPTIONS /k", "GET /"]

  /// The head of an answer, and its body by the length that the head states.
  private static func answer(_ wire: inout Wire) async throws -> String {
    let head = try await wire.receive(through: "\r\n\r\n")
    let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
    _ = try await wire.receive(length.flatMap { Int($0.dropFirst("Content-Length: ".count)) } ?? 0)
    return head
  }

  /// Without a listing, which would wait for the index of a node that keeps none here.
  @Test(arguments: questions.dropFirst())
  func chunksWithNothingInThemAreNoBody(question: String) async throws {
    try await TestNodes.run { nodes async throws in
      let request = "\(question) HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
      var wire = try await Wire.connect(nodes.ports[0])
      for _ in 0..<3 {
        try await wire.send(request)
        let head = try await Self.answer(&wire)
        #expect(!head.contains("Connection: close"))
      }
    }
  }

  @Test(
    arguments: questions,
    ["Content-Length: 1\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"])
  func aBodyMakesNoSenseToAQuestion(question: String, body: String) async throws {
    try await TestNodes.run { nodes async throws in
      let answer = try await nodes.ask("\(question) HTTP/1.1\r\nHost: a\r\n\(body)")
      #expect(answer.hasPrefix("HTTP/1.1 400 "))
      #expect(answer.contains("\r\nConnection: close\r\n"))
      #expect(answer.hasSuffix(": a body makes no sense here\n"))
    }
  }

  @Test(arguments: ["GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET / HTTP/1.1\r\nHo"])
  func anAnswerCarriesNothingOfAnEarlierRequest(malformed: String) async throws {
    var http = HTTPSettings()
    http.allowedOrigins = ["https://app.example.com"]
    try await TestNodes.run(http: http) { nodes async throws in
      var wire = try await Wire.connect(nodes.ports[0])
      try await wire.send("GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example.com\r\n\r\n")
      #expect(try await Self.answer(&wire).contains("\r\nAccess-Control-Allow-Origin: https://app.example.com\r\n"))
      try await wire.send(malformed)
      try wire.endSending()
      let head = try await Self.answer(&wire)
      #expect(head.hasPrefix("HTTP/1.1 400 "))
      #expect(!head.contains("Access-Control") && !head.contains("Vary"))
    }
  }
}
