import Testing

@testable import KVHTTP

@Suite struct HTTPQueryTests {
  @Test(
    arguments: [
      ("", []), ("&&", []), ("list", ["list="]), ("a=b&c=d", ["a=b", "c=d"]), ("a=b=c", ["a=b=c"]), ("=b", ["=b"]),
      ("a+b=c+d%2Be", ["a b=c d+e"]), ("%61=%62", ["a=b"]),
    ] as [(String, [String])])
  func readsParameters(query: String, expected: [String]) throws {
    let read = try HTTPQuery(Array(query.utf8))
    #expect(read.parameters.map { "\($0.name)=\(String(decoding: $0.value, as: UTF8.self))" } == expected)
  }

  @Test(arguments: ["a=%", "%zz", String(repeating: "a&", count: 33)])
  func refusesWhatIsNoQuery(query: String) {
    #expect(throws: HTTPSyntaxError.self) { try HTTPQuery(Array(query.utf8)) }
  }

  @Test func noQueryHasNoParameters() throws { #expect(try HTTPQuery(nil).parameters.isEmpty) }
}
