import ArgumentParser
import KVCore

/// The argument that names a key.
struct KeyArgument: ParsableArguments {
  @Argument(help: "The key, 1 to \(Key.bytesMax) bytes.")
  var key: String

  @Flag(
    name: [.customShort("e"), .customLong("encoded")],
    help: "KEY is percent-encoded, as in a URL: so it can hold any byte.")
  var isEncoded = false

  /// The key, or a usage error.
  func parse() throws(CommandError) -> Key {
    var bytes = Array(key.utf8)
    do throws(HTTPSyntaxError) {
      if isEncoded { bytes = try PercentCoding.decode(bytes.span) }
    } catch {
      throw CommandError(.usage, "the key '\(PrintableText.escape(key.utf8))': \(error)")
    }
    do throws(KeyError) { return try Key(bytes) } catch { throw CommandError(.usage, "\(error)") }
  }
}

extension Key {
  /// The key as it is written in JSON: percent-encoded, as in a listing, for a key can hold any byte.
  var encodedText: String { String(decoding: PercentCoding.encode(bytes), as: UTF8.self) }
}
