import TestSupport
import Testing

@testable import KVDialect

struct DialectTests {
  @Test(arguments: [
    "GET / HTTP/1.1", "GET / HTTP/1.1\r", "PUT /hashme HTTP/1.0", "GET / HTTP/2.0", "PRI * HTTP/2.0\r", "x HTTP/9.9",
    "GET HTTP/1.1", " HTTP/1.1", "PUT /a b HTTP/1.1\r",
  ])
  func whatEndsInAVersionIsHTTP(line: String) {
    #expect(Dialect(firstLine: Array(line.utf8)[...]) == .http)
  }

  @Test(arguments: [
    "", "\r", "GET hashme", "GET hashme\r", "PUT hashme 5", "HTTP/1.1", "GET /HTTP/1.1", "GET / HTTP/1.1 ",
    "GET / HTTP/1.1\r\r", "GET / http/1.1", "GET / HTTP/11", "GET / HTTP/1.", "GET / HTTP/1", "GET / HTTP/11.1",
    "GET / HTTP/1,1", "GET /\tHTTP/1.1", "GET / HTTPS/1.1", "GET / HTTP/1.1x",
  ])
  func allElseIsClassic(line: String) {
    #expect(Dialect(firstLine: Array(line.utf8)[...]) == .classic)
  }

  @Test func aSliceIsReadFromItsOwnStart() {
    let bytes = Array("xxGET / HTTP/1.1\r\nyy".utf8)
    #expect(Dialect(firstLine: bytes[2..<17]) == .http)
    #expect(Dialect(firstLine: bytes[2..<15]) == .classic)
  }
}
