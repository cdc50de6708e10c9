import KVServer
import Testing

@testable import KVCore

struct NodeNameTests {
  @Test(arguments: ["a", "Node-1.example_org", "9", String(repeating: "x", count: 64)])
  func takesHostNames(text: String) throws {
    #expect(try NodeName.parse(text) == text)
  }

  @Test(arguments: ["", "node 1", "nöde", "node/1", "node1\n", "a=b", String(repeating: "x", count: 65)])
  func refusesTheRest(text: String) {
    #expect(throws: SettingError(expected: "a name of 1 to 64 letters, digits, '.', '_' or '-'")) {
      try NodeName.parse(text)
    }
  }
}
