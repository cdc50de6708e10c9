import KVHTTP

/// What all nodes of a cluster know and nobody else does: by it they recognise each other. docs/security.md specifies the
/// file that has it.
package struct ClusterSecret: Sendable, Equatable {
  /// The shortest key; 32 random bytes in hexadecimal or base64 are longer.
  static let keyBytesMin = 32
  static let keyBytesMax = 1024
  /// One to sign with, and those that are on their way in or out.
  static let keysMax = 4

  private static let unsigned = "unsigned"

  /// The first signs; each is good for what comes.
  package let keys: [[UInt8]]
  /// Whether nodes that sign nothing pass too, until all of them have the secret.
  package let acceptsUnsigned: Bool

  /// Reads the file's contents: a key a line, and `unsigned` for the time until all nodes have it. `name` is the file's,
  /// for messages, which say nothing of what is in it.
  package init(parsing contents: [UInt8], named name: String) throws(ConfigurationError) {
    var keys: [[UInt8]] = []
    var acceptsUnsigned = false
    for (index, line) in contents.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
      if line.elementsEqual(Self.unsigned.utf8) {
        acceptsUnsigned = true
        continue
      }
      guard line.allSatisfy({ (0x21...0x7E).contains($0) }), (Self.keyBytesMin...Self.keyBytesMax).contains(line.count)
      else {
        throw Self.problem(
          name, index + 1,
          "expected a key of \(Self.keyBytesMin) to \(Self.keyBytesMax) letters, digits and signs, or \(Self.unsigned)")
      }
      keys.append(Array(line))
    }
    guard (1...Self.keysMax).contains(keys.count) else {
      throw Self.problem(name, nil, "\(Counted(keys.count, "key")): expected 1 to \(Self.keysMax), a line each")
    }
    (self.keys, self.acceptsUnsigned) = (keys, acceptsUnsigned)
  }

  private static func problem(_ name: String, _ line: Int?, _ message: String) -> ConfigurationError {
    ConfigurationError(problems: [ConfigurationProblem(file: name, line: line, message: message)])
  }
}

/// Bytes that are compared to the last, so that the time tells nothing of where they differ.
package func areEqualInConstantTime(_ one: [UInt8], _ other: [UInt8]) -> Bool {
  one.count == other.count && zip(one, other).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
}
