import Testing

@testable import KVHTTP

@Suite struct HTTPStatusTests {
  @Test(arguments: [
    100, 200, 201, 204, 206, 304, 400, 404, 405, 408, 411, 412, 413, 416, 421, 431, 500, 501, 503, 505, 507,
  ])
  func everyStatusWeSendHasAPhrase(status: Int) {
    let phrase = HTTPStatus.reasonPhrase(status)
    #expect(!phrase.isEmpty && phrase.utf8.allSatisfy(HTTPByte.isFieldValue))
  }

  @Test(arguments: [
    (HTTPSyntaxError.bad("x"), 400), (.tooLarge("x"), 431), (.unsupportedVersion("x"), 505),
    (.unsupportedTransferCoding("x"), 501),
  ])
  func everySyntaxErrorHasAStatusWithAPhrase(error: HTTPSyntaxError, status: Int) {
    #expect(error.status == status)
    #expect(error.reason == "x")
    #expect(!HTTPStatus.reasonPhrase(error.status).isEmpty)
  }
}
