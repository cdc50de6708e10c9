import Testing

@testable import KVCore

@Suite struct NodeStatusTests {
  private static let members = [
    ("node", "\"node1\""), ("version", "\"0.1.0\""), ("fingerprint", "\"efce58d1b5cf035b\""), ("peers", "4"),
    ("values", "123"), ("bytes", "456"), ("free", "789"), ("total", "1000"), ("uptime", "12"), ("connections", "3"),
    ("health", "\"ok\""),
  ]

  private static func text(_ members: [(String, String)]) -> [UInt8] {
    Array("{\(members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ","))}\n".utf8)
  }

  @Test func readsAnAnswer() throws {
    let status = try NodeStatus(parsing: Self.text(Self.members + [("later", "\"addition\"")]))
    #expect(status.node == "node1")
    #expect(status.fingerprint == "efce58d1b5cf035b")
    #expect(status.freeBytes == 789)
    #expect(status.uptimeSeconds == 12)
    #expect(status.isHealthy)
  }

  @Test func escapesWhatGoesToATerminal() throws {
    let status = try NodeStatus(parsing: Self.text(Self.members.dropLast() + [("health", "\"\\u001b[2Jbad\"")]))
    #expect(status.health == "\\x1b[2Jbad")
    #expect(!status.isHealthy)
  }

  @Test(arguments: members.map(\.0))
  func needsEveryMember(name: String) {
    #expect(throws: NodeStatusError.self) {
      try NodeStatus(parsing: Self.text(Self.members.filter { $0.0 != name }))
    }
  }

  @Test func refusesWhatIsNoObject() {
    #expect(throws: NodeStatusError.self) { try NodeStatus(parsing: Array("<html>".utf8)) }
  }
}
