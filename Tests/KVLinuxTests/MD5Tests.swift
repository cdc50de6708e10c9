import KVCore
import KVStore
import Testing
import TestSupport

@testable import KVLinux

struct MD5Tests {
  /// The test suite of RFC 1321, appendix A.5.
  @Test(arguments: [
    ("", "d41d8cd98f00b204e9800998ecf8427e"), ("a", "0cc175b9c0f1b6a831c399e269772661"),
    ("abc", "900150983cd24fb0d6963f7d28e17f72"), ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
    ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
    ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"),
    (String(repeating: "1234567890", count: 8), "57edf4a22be3c955ac49da2e2107b67a"),
  ])
  func agreesWithTheRFC(text: String, digest: String) {
    let hex = MD5.digest(Array(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    #expect(hex == digest)
  }

  @Test func allVectorsAreThere() {
    #expect(PlacementVector.all.count == 275)
  }

  @Test(arguments: PlacementVector.all)
  func slotIsTheVectors(vector: PlacementVector) throws {
    #expect(try Key(vector.key.utf8).slot.number == vector.slot)
  }

  /// The table of docs/value-format.md.
  @Test(arguments: [("hashme", "12"), ("a/../b", "99"), (".hidden", "10"), (String(repeating: "x", count: 300), "bf")])
  func shardIsTheDocumented(key: String, shard: String) throws {
    let key = try Key(key.utf8)
    #expect(ValuePath(key: key, slot: key.slot).directories.first == shard)
  }
}
