import Testing

@testable import KVHTTP

@Suite struct HTTPFieldsTests {
  private let fields: HTTPFields = ["Host": "a", "Accept": "x", "ACCEPT": "y, Z", "Empty": ""]

  @Test(arguments: ["host", "HOST", "Host", "hOsT"])
  func looksUpInAnyCase(name: String) {
    #expect(fields[name] == "a")
    #expect(fields.contains(name))
  }

  @Test(arguments: ["hos", "hostt", "", "h\u{0}st", "\u{48}OS\u{74}\u{20}"])
  func doesNotFindOtherNames(name: String) {
    #expect(fields[name] == nil)
    #expect(!fields.contains(name))
    #expect(fields.all(name) == [])
  }

  @Test func keepsRepeatedNamesInOrder() {
    #expect(fields.all("accept") == ["x", "y, Z"])
    #expect(fields["accept"] == "x")
    #expect(fields["empty"] == "")
    #expect(fields.map(\.name) == ["Host", "Accept", "ACCEPT", "Empty"])
  }

  @Test(arguments: [
    ("x", true), ("X", true), ("y", true), ("z", true), ("y, z", false), ("", false), ("xy", false),
  ])
  func findsTokensOverSeveralFields(token: String, isThere: Bool) {
    #expect(fields.contains(token: token, in: "Accept") == isThere)
  }

  @Test(arguments: [",,a", "a,,", " a ,b", "b,\ta\t"])
  func findsTokensAmongEmptyElementsAndBlanks(list: String) throws {
    let bytes = Array("GET / HTTP/1.0\r\nList:\(list)\r\n\r\n".utf8)
    guard case .head(let head, _) = try HTTPRequestHead.parse(bytes.span) else {
      Issue.record("no head")
      return
    }
    #expect(head.fields.contains(token: "A", in: "list"))
  }

  @Test func comparesNamesInAnyCaseButValuesExactly() {
    let one: HTTPFields = ["A": "x", "B": "y"]
    #expect(one == ["a": "x", "b": "y"])
    #expect(one != ["A": "X", "B": "y"])
    #expect(one != ["B": "y", "A": "x"])
    #expect(one != ["A": "x"])
  }

  @Test func keepsBytesOutsideASCII() throws {
    let everyByte = (0x80...0xFF).map { UInt8($0) }
    let bytes = Array("GET / HTTP/1.0\r\nA: ".utf8) + everyByte + Array("\r\n\r\n".utf8)
    guard case .head(let head, _) = try HTTPRequestHead.parse(bytes.span) else {
      Issue.record("no head")
      return
    }
    let value = try #require(head.fields["a"])
    #expect(value.unicodeScalars.map { UInt8($0.value) } == everyByte)
    var copied = HTTPFields()
    copied.append("A", value)
    #expect(HTTPRequestHead(method: "GET", target: head.target, version: .http10, fields: copied).encoded() == bytes)
  }

  @Test(arguments: ["a\rb", "a\nb", "a\0b", "\u{7F}", "\u{1F}"])
  func trapsOnControlCharactersInOurOwnValues(value: String) async {
    await #expect(processExitsWith: .failure) { [value] in
      var fields = HTTPFields()
      fields.append("a", value)
    }
  }

  @Test(arguments: ["", "a b", "a:", "a\r\nb", "é"])
  func trapsOnOurOwnNamesThatAreNoTokens(name: String) async {
    await #expect(processExitsWith: .failure) { [name] in
      var fields = HTTPFields()
      fields.append(name, "x")
    }
  }
}
