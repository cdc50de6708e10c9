import KVHTTP
import Testing

@testable import KVCore

struct GrantsTests {
  private static func need(_ permission: Permission, _ keys: String) -> Need {
    Need(permission, keys: Array(keys.utf8))
  }

  @Test(arguments: [
    ("none", "none"), ("all", "read,write,delete,list,status"), ("read", "read"), ("list,read", "read,list"),
    ("read:a", "read:a"), ("all:a/", "read,write,delete,list:a/"), ("read,read  status", "read status"),
    ("read:a:b%20c", "read:a%3Ab%20c"), ("read:", "read"), ("write:%FF", "write:%FF"),
  ])
  func areReadAndWritten(text: String, written: String) throws {
    let grants = try Grants(parsing: text)
    #expect(grants.description == written)
    #expect(try Grants(parsing: written) == grants)
  }

  @Test(arguments: [
    "", " ", "reads", "read,", ",read", ":a", "read none", "none none", "status:a", "read,status:a", "read:%G0",
    "read:\(String(repeating: "a", count: 1025))", Array(repeating: "read", count: 65).joined(separator: " "),
  ])
  func areRefused(text: String) {
    #expect(throws: SettingError.self) { try Grants(parsing: text) }
  }

  @Test(arguments: [
    ("read:a/", Permission.read, "a/b", true), ("read:a/", .read, "a/", true), ("read:a/", .read, "a", false),
    ("read:a/", .read, "b/a/", false), ("read:a/", .write, "a/b", false), ("read", .read, "x", true),
    ("list:a/", .list, "", false), ("list:a/", .list, "a", false), ("list:a/", .list, "a/b", true),
    ("list", .list, "", true), ("status", .status, "", true), ("all:a", .status, "", false), ("all", .status, "", true),
    ("none", .read, "x", false), ("read:a write:b", .write, "a", false), ("read:a write:b", .write, "b", true),
  ])
  func permitWhatTheySay(text: String, permission: Permission, keys: String, isPermitted: Bool) throws {
    #expect(try Grants(parsing: text).permit(Self.need(permission, keys)) == isPermitted)
  }

  @Test(arguments: [
    (Operation.get, Permission.read), (.head, .read), (.put, .write), (.delete, .delete),
  ])
  func eachOperationNeedsAPermissionForItsKey(operation: Operation, permission: Permission) throws {
    let request = Request.value(ValueRequest(operation, try Key("k".utf8)))
    #expect(request.need == Self.need(permission, "k"))
  }

  @Test func whatIsAboutNodesNeedsStatusOrNothing() {
    #expect(Request.node(.status).need == Self.need(.status, ""))
    #expect(Request.node(.layout(isBinary: true)).need == Self.need(.status, ""))
    for request in [NodeRequest.health, .welcome, .methods, .methodsOfNode] {
      #expect(Request.node(request).need == nil)
    }
    #expect(Request.list(ListRequest(prefix: Array("p".utf8))).need == Self.need(.list, "p"))
  }
}
