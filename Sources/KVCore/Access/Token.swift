import KVHTTP

/// Somebody who is known by a secret, and what he may do.
package struct Token: Sendable, Equatable {
  /// How every token begins, so that people and scanners of secrets recognise one.
  package static let opening = "kvnode_"
  /// How many random bytes follow, each as two hexadecimal digits: far too many to be guessed.
  package static let randomByteCount = 32

  /// Who it is, for log lines; a name as nodes have.
  package let name: String
  /// The SHA-256 of the token's text. What is random needs no slow hash: there is no dictionary to try.
  package let digest: [UInt8]
  /// What it allows.
  package let grants: Grants
  /// The last day on which it is good, in UTC, or nil where it does not end.
  package let until: Day?

  /// A token of that name.
  package init(name: String, digest: [UInt8], grants: Grants, until: Day? = nil) {
    precondition(digest.count == Self.digestByteCount, "a SHA-256 has \(Self.digestByteCount) bytes")
    (self.name, self.digest, self.grants, self.until) = (name, digest, grants, until)
  }

  /// The text of a token, from random bytes.
  package static func text(_ randomBytes: [UInt8]) -> String { opening + Hexadecimal.digits(randomBytes) }

  /// A text for people to read, without the tokens that somebody put where none belongs.
  package static func masked(_ text: String) -> String {
    guard text.contains(opening) else { return text }
    var masked = ""
    var rest = text[...]
    while let range = rest.firstRange(of: opening) {
      masked += rest[..<range.lowerBound] + opening + "…"
      rest = rest[range.upperBound...].drop(while: \.isHexDigit)
    }
    return masked + rest
  }

  /// The line of the tokens' file that says all this, without its LF.
  package var line: String {
    "\(name)=\(Self.digestOpening)\(Hexadecimal.digits(digest)) \(grants)\(until.map { " \(Self.untilOpening)\($0)" } ?? "")"
  }

  private static let digestByteCount = 32
  private static let digestOpening = "sha256:"
  private static let untilOpening = "until="

  /// Reads what stands behind the name and the equals sign.
  fileprivate init(name: String, parsing text: String) throws(SettingError) {
    let words = text.split { $0 == " " || $0 == "\t" }
    guard let first = words.first, first.hasPrefix(Self.digestOpening),
      let digest = Hexadecimal.bytes(Array(first.utf8.dropFirst(Self.digestOpening.utf8.count))[...]),
      digest.count == Self.digestByteCount
    else { throw SettingError(expected: "sha256: and the 64 hexadecimal digits of the token's hash, then permissions") }
    var rest = words.dropFirst()
    var until: Day?
    if let last = rest.last, last.hasPrefix(Self.untilOpening) {
      until = try Day(parsing: String(last.dropFirst(Self.untilOpening.count)))
      rest = rest.dropLast()
    }
    self.init(
      name: name, digest: digest, grants: try Grants(parsing: rest.joined(separator: " ")), until: until)
  }
}

/// A day in UTC, written `2027-06-30`.
package struct Day: Sendable, Equatable, CustomStringConvertible {
  private let startSeconds: Int

  /// Reads the form of RFC 3339.
  package init(parsing text: String) throws(SettingError) {
    guard let start = HTTPDate(timestamp: Array("\(text)T00:00:00Z".utf8)) else {
      throw SettingError(expected: "a day such as 2027-06-30")
    }
    startSeconds = start.secondsSince1970
  }

  /// Whether it is over.
  package func isOver(at now: HTTPDate) -> Bool { now.secondsSince1970 >= startSeconds + 86_400 }

  /// The text that reads back as this day.
  package var description: String { String(HTTPDate(secondsSince1970: startSeconds).timestamp.prefix(10)) }
}

/// The tokens' file: a line for each, `name=sha256:… permissions`. docs/security.md specifies it.
package struct TokenList: Sendable, Equatable {
  /// The most tokens: all of them are compared with each that comes.
  package static let countMax = 1024

  private let tokens: [Token]

  /// Tokens with names of their own.
  package init(_ tokens: [Token]) { self.tokens = tokens }

  /// Reads the file's contents. `name` is the file's, for messages.
  package init(parsing contents: [UInt8], named name: String) throws(ConfigurationError) {
    var tokens: [Token] = []
    var lines: [String: Int] = [:]
    var digests: Set<[UInt8]> = []
    var problems = ConfigurationProblemList()
    for item in SettingsFile(name: name, contents: contents).items {
      // No message repeats what stands there: it may be a token that was put in the wrong place.
      switch item {
      case .malformed(let problem): problems.append(Self.problem(name, problem.line, "expected \(Self.form)"))
      case .section(_, let line):
        problems.append(Self.problem(name, line, "a section: expected \(Self.form), for there are none here"))
      case .assignment(let assignment):
        do throws(SettingError) {
          if let earlier = lines[assignment.key] {
            throw SettingError(expected: "each name once; line \(earlier) has it already")
          }
          lines[assignment.key] = assignment.line
          let token = try Token(name: try NodeName.parse(assignment.key), parsing: assignment.value)
          guard digests.insert(token.digest).inserted else { throw SettingError(expected: "each hash once") }
          tokens.append(token)
        } catch {
          problems.append(Self.problem(name, assignment.line, "\(error)"))
        }
      }
    }
    if tokens.count > Self.countMax {
      problems.append(
        ConfigurationProblem(
          file: name, line: nil, message: "\(tokens.count) tokens: expected at most \(Self.countMax)"))
    }
    guard problems.problems.isEmpty else { throw ConfigurationError(problems: problems.problems) }
    self.init(tokens)
  }

  private static let form = "name=sha256:… permissions"

  private static func problem(_ file: String, _ line: Int?, _ message: String) -> ConfigurationProblem {
    ConfigurationProblem(file: file, line: line, message: message)
  }

  /// How many there are.
  package var count: Int { tokens.count }

  /// The token of that name.
  package func token(named name: String) -> Token? { tokens.first { $0.name == name } }

  /// The token with that hash. All are compared, to the last byte, so that the time tells nothing.
  package func token(digest: [UInt8]) -> Token? {
    var found: Token?
    for token in tokens {
      if areEqualInConstantTime(token.digest, digest) { found = token }
    }
    return found
  }
}
