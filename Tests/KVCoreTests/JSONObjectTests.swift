import Testing

@testable import KVCore

@Suite struct JSONObjectTests {
  @Test func isEmptyAtFirst() { #expect(JSONObject().description == "{}") }

  @Test func keepsTheOrderOfItsMembers() {
    var object = JSONObject()
    object.add("b", "text")
    object.add("a", -1)
    object.add("c", true)
    #expect(object.description == #"{"b":"text","a":-1,"c":true}"#)
    #expect(object.bytes == Array(object.description.utf8))
  }

  @Test func escapesNamesAndStrings() {
    var object = JSONObject()
    object.add("a\"", "b\\\n")
    #expect(object.description == #"{"a\"":"b\\\n"}"#)
  }

  @Test func nests() {
    var inner = JSONObject()
    inner.add("n", 1)
    var object = JSONObject()
    object.add("object", inner)
    object.add("objects", [inner, JSONObject()])
    object.add("strings", ["x\"", "y"])
    object.add("none", [String]())
    #expect(object.description == #"{"object":{"n":1},"objects":[{"n":1},{}],"strings":["x\"","y"],"none":[]}"#)
  }
}
