import KVHTTP
import Testing

@testable import KVCore

struct FailureTests {
  @Test(
    arguments: [
      (.badRequest, 400), (.notFound, 404), (.methodNotAllowed, 405), (.timedOut, 408), (.lengthRequired, 411),
      (.tooLarge, 413), (.misdirected, 421), (.headTooLarge, 431), (.storeFailed, 500), (.notImplemented, 501),
      (.unavailable, 503), (.versionNotSupported, 505), (.diskFull, 507),
    ] as [(Failure.Kind, Int)])
  func everyKindHasAStatusThatCanBeNamed(kind: Failure.Kind, status: Int) {
    #expect(kind.rawValue == status)
    #expect(Failure.Kind(rawValue: status) == kind)
    #expect(!HTTPStatus.reasonPhrase(status).isEmpty)
  }

  @Test func isDescribedByItsMessage() {
    #expect("\(Failure(.notFound, "GET a: no such key"))" == "GET a: no such key")
  }

  @Test func tooManyConnectionsNamesTheNodeAndTheSetting() {
    #expect(Failure.tooManyConnections(at: "node1").kind == .unavailable)
    #expect(
      Failure.tooManyConnections(at: "node1").message
        == "node1: too many connections, try again later (MaxConnections=)")
  }

  @Test(
    arguments: [
      (.bad("x"), .badRequest), (.tooLarge("x"), .headTooLarge), (.unsupportedVersion("x"), .versionNotSupported),
      (.unsupportedTransferCoding("x"), .notImplemented),
    ] as [(HTTPSyntaxError, Failure.Kind)])
  func takesOverASyntaxErrorsStatusAndReason(error: HTTPSyntaxError, kind: Failure.Kind) {
    #expect(Failure(error) == Failure(kind, "x"))
  }
}
