/// One thing wrong with the configuration, and where.
package struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
  /// The file's name as the caller gave it; `nil` where no file is to blame.
  package let file: String?
  /// The line, counted from 1; `nil` where no line is to blame.
  package let line: Int?
  /// What is wrong, in one line.
  package let message: String

  /// A problem at a place.
  package init(file: String?, line: Int?, message: String) {
    self.file = file
    self.line = line
    self.message = message
  }

  /// A problem with one assignment, whose text begins the message.
  init(_ assignment: SettingsFile.Assignment, _ message: String) {
    // Somebody may have put the secret itself, or a token, in place of the file that has it.
    let value = ["Secret", "Tokens"].contains(assignment.key) ? "…" : assignment.value
    let text = Self.shortened("\(assignment.key)=\(value)")
    self.init(file: assignment.file, line: assignment.line, message: "\(text): \(message)")
  }

  /// One line for the log: `/etc/kvnode.conf:12: MinFree=abc: expected a percentage such as 2% or a size such as 10G`.
  package var description: String {
    guard let file else { return message }
    guard let line else { return "\(file): \(message)" }
    return "\(file):\(line): \(message)"
  }

  /// The beginning of a text, so that a long line does not drown its message.
  static func shortened(_ text: String) -> String {
    let charactersMax = 100
    return text.count <= charactersMax ? text : text.prefix(charactersMax) + "…"
  }
}

/// Why there is no configuration: every problem that was found, not just the first.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
  /// The errors in the order of the files and lines, those about several lines last; never empty.
  package let problems: [ConfigurationProblem]
  /// What would have been warned of beside them; an ignored key often explains an error.
  package let warnings: [ConfigurationProblem]

  /// At least one problem, and what was odd beside it.
  package init(problems: [ConfigurationProblem], warnings: [ConfigurationProblem] = []) {
    precondition(!problems.isEmpty, "an error without a problem")
    self.problems = problems
    self.warnings = warnings
  }

  /// The errors, a line each.
  package var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// Problems in the order they were found, up to a limit: a file of rubbish must not flood the log.
struct ConfigurationProblemList {
  /// The most problems that are listed.
  static let countMax = 100

  private(set) var problems: [ConfigurationProblem] = []

  /// Adds a problem; past the limit, adds once that there are more.
  mutating func append(_ problem: ConfigurationProblem) {
    if problems.count < Self.countMax {
      problems.append(problem)
    } else if problems.count == Self.countMax {
      let message = "there are more than \(Self.countMax) problems; the others are not listed"
      problems.append(ConfigurationProblem(file: nil, line: nil, message: message))
    }
  }
}

/// Why the text of one setting is refused.
///
/// The parsers of this folder throw it without knowing which file, line and key the text came from;
/// whoever knows adds them, see `ConfigurationProblem`.
package struct SettingError: Error, Equatable, CustomStringConvertible {
  /// What was expected instead, as the end of a sentence: "a size such as 128M".
  package let expected: String

  /// An error that says what was expected.
  package init(expected: String) {
    self.expected = expected
  }

  /// The end of an error message: "expected a size such as 128M".
  package var description: String { "expected \(expected)" }
}
