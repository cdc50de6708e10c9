import Testing

@testable import KVCore

struct TranslatingErrorTests {
  private struct Inner: Error { let number: Int }
  private struct Outer: Error, Equatable { let text: String }

  @Test func passesAResultOn() throws {
    let result = try translatingError({ (error: Inner) in Outer(text: "\(error.number)") }) { () throws(Inner) in 5 }
    #expect(result == 5)
  }

  @Test func turnsAnErrorIntoTheCallersOwn() {
    #expect(throws: Outer(text: "number 7")) {
      try translatingError({ (error: Inner) in Outer(text: "number \(error.number)") }) { () throws(Inner) -> Int in
        throw Inner(number: 7)
      }
    }
  }
}
