import Testing

@testable import KVHTTP

@Suite struct HTTPByteTests {
  @Test func tokensAreThoseOfTheGrammar() {
    let grammar = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    for byte in UInt8.min...UInt8.max {
      #expect(HTTPByte.isToken(byte) == grammar.contains(byte), "byte \(byte)")
    }
  }

  @Test func hostsAreThoseOfTheGrammar() {
    let grammar = Set(
      "-._~!$&'()*+,;=:%[]0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    for byte in UInt8.min...UInt8.max {
      #expect(HTTPByte.isHost(byte) == grammar.contains(byte), "byte \(byte)")
    }
  }

  @Test func hexadecimalDigitsAreThoseOfTheLanguage() {
    for byte in UInt8.min...UInt8.max {
      let expected = byte < 0x80 ? Character(Unicode.Scalar(byte)).hexDigitValue : nil
      #expect(HTTPByte.hexadecimalValue(byte).map(Int.init) == expected, "byte \(byte)")
    }
  }

  @Test func onlyLettersHaveTwoCases() {
    for byte in UInt8.min...UInt8.max {
      let expected = byte < 0x80 ? Character(Unicode.Scalar(byte)).lowercased().utf8.first : byte
      #expect(HTTPByte.lowercased(byte) == expected, "byte \(byte)")
    }
  }
}
