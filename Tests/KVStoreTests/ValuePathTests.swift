import KVCore
import KVLinux
import Testing
import TestSupport

@testable import KVStore

private let slot = Slot(number: 0x4A01)

private func path(_ key: String) throws -> ValuePath { try ValuePath(key: Key(key.utf8), slot: slot) }

private func letters(_ count: Int) -> String { String(repeating: "a", count: count) }

@Suite struct ValuePathTests {
  @Test(arguments: [
    (0, "00"), (0x00FF, "00"), (0x0F00, "0f"), (4781, "12"), (51_014, "c7"), (0x4AFF, "4a"), (65_535, "ff"),
  ])
  func liesBelowTheSlotsFirstByte(number: Int, shard: String) throws {
    let path = try ValuePath(key: Key("hashme".utf8), slot: Slot(number: number))
    #expect(path.directories == [shard])
    #expect(path.fileName == "hashme")
  }

  @Test func thereAre256Shards() {
    #expect(ValuePath.shards.count == 256)
    #expect(Set(ValuePath.shards).count == 256)
    #expect([0, 9, 10, 16, 74, 255].map { ValuePath.shards[$0] } == ["00", "09", "0a", "10", "4a", "ff"])
  }

  @Test(arguments: UInt8.min...UInt8.max)
  func everyByteIsItselfOrEscaped(byte: UInt8) throws {
    let plain = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-".utf8)
    let digits = Array("0123456789ABCDEF")
    let escape = "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
    let key = try Key([0x61, byte])
    let path = ValuePath(key: key, slot: slot)
    #expect(path.fileName == "a" + (plain.contains(byte) ? String(UnicodeScalar(byte)) : escape))
    #expect(ValuePath.key(names: [path.fileName]) == key)
    let alone = try ValuePath(key: Key([byte]), slot: slot)
    let staysFirst = plain.contains(byte) && byte != UInt8(ascii: ".")
    #expect(alone.fileName == (staysFirst ? String(UnicodeScalar(byte)) : escape))
  }

  @Test(arguments: [
    (".", "%2E"), ("..", "%2E."), ("...", "%2E.."), (".a", "%2Ea"), ("a.b", "a.b"), ("a.", "a."), ("a..", "a.."),
    ("a/../b", "a%2F..%2Fb"), (".hidden", "%2Ehidden"),
    ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"), ("/", "%2F"), ("%2F", "%252F"), ("+", "%2B"), ("a+", "a%2B"),
    ("\0", "%00"), ("é", "%C3%A9"), ("a b", "a%20b"), ("~", "%7E"),
  ])
  func namesAreEscaped(key: String, name: String) throws {
    #expect(try path(key).fileName == name)
    #expect(try path(key).directories == ["4a"])
  }

  @Test(arguments: [
    (letters(240), ["4a"], letters(240)),
    (letters(241), ["4a", letters(240) + "+"], "a"),
    (letters(480), ["4a", letters(240) + "+"], letters(240)),
    (letters(481), ["4a", letters(240) + "+", letters(240) + "+"], "a"),
    (letters(240) + ".b", ["4a", letters(240) + "+"], "%2Eb"),
    (letters(240) + ".", ["4a", letters(240) + "+"], "%2E"),
    (letters(240) + "..", ["4a", letters(240) + "+"], "%2E."),
    (letters(239) + ".b", ["4a", letters(239) + ".+"], "b"),
    (letters(239) + ".", ["4a"], letters(239) + "."),
    (letters(237) + "/", ["4a"], letters(237) + "%2F"),
    (letters(238) + "/", ["4a", letters(238) + "+"], "%2F"),
    (letters(239) + "/b", ["4a", letters(239) + "+"], "%2Fb"),
  ])
  func longNamesGoOnInASubdirectory(key: String, directories: [String], name: String) throws {
    #expect(try path(key).directories == directories)
    #expect(try path(key).fileName == name)
  }

  @Test func the1024EscapedBytesFillThirteenNames() throws {
    let key = try Key([UInt8](repeating: 0, count: 1024))
    let path = ValuePath(key: key, slot: slot)
    let full = String(repeating: "%00", count: 80)
    #expect(path.directories == ["4a"] + [String](repeating: full + "+", count: 12))
    #expect(path.fileName == String(repeating: "%00", count: 64))
    #expect(ValuePath.key(names: path.directories.dropFirst() + [path.fileName]) == key)
  }

  @Test func randomKeysComeBackAndTheirNamesAreSafe() throws {
    var generator = SeededGenerator(seed: 2)
    let alphabets: [[UInt8]] = [
      Array(UInt8.min...UInt8.max), Array(".".utf8), Array("./".utf8), Array("a./%+\0".utf8), Array("abc".utf8),
    ]
    for _ in 0..<1000 {
      let alphabet = alphabets.randomElement(using: &generator) ?? []
      let byteCount = Int.random(in: 1...(Bool.random(using: &generator) ? 20 : 1024), using: &generator)
      let key = try Key((0..<byteCount).map { _ in alphabet.randomElement(using: &generator) ?? 0 })
      let path = ValuePath(key: key, slot: slot)
      let names = path.directories.dropFirst() + [path.fileName]
      #expect(ValuePath.key(names: Array(names)) == key)
      #expect(path.directories.dropFirst().allSatisfy { $0.hasSuffix("+") })
      #expect(!path.fileName.hasSuffix("+"))
      #expect(names.allSatisfy(isSafe), "\(names)")
    }
  }

  @Test func keysThatDifferLieApart() throws {
    let keys = [
      "a", "A", "%61", "a+", "a/", "a/b", "a%2Fb", ".", "..", "%2E", letters(240), letters(241),
      letters(240) + "+", letters(240) + "/a", letters(240) + ".", letters(240) + "+a",
    ]
    #expect(try Set(keys.map(path)).count == keys.count)
  }

  @Test(arguments: [
    [], [""], ["%61"], ["%2f"], [".a"], ["."], [".."], ["a/b"], ["a", "b"], ["a+"], ["a+", "b"], ["+", "a"],
    [letters(240) + "+"], [letters(240) + "+", ""], [letters(240) + "+", ".a"], [letters(240), "a"],
    [letters(239) + "+", "b"], [letters(239) + "+", "%2E"], [letters(241)], [letters(240) + "+", letters(241)],
    ["%"], ["a%"], ["%4"], ["%zz"], ["%+1"], ["%-1"], ["% 1"], ["a b"], ["é"], ["%2E%2E"], ["a%2E"], ["a~"],
    ["a\u{FFFD}"], [letters(240) + "+", letters(240) + "+", letters(240) + "+", letters(240) + "+", letters(65)],
  ])
  func noOtherSpellingIsAKeys(names: [String]) {
    #expect(ValuePath.key(names: names) == nil)
  }

  private func isSafe(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && !name.hasPrefix(".") && !name.utf8.contains(0)
      && !name.contains("/") && name.utf8.count <= 241
  }
}
