/// One thing wrong with the configuration, and where.
public struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
  /// The file's name as the caller gave it; `nil` where no file is to blame.
  public let file: String?
  /// The line, counted from 1; `nil` where no line is to blame.
  public let line: Int?
  /// What is wrong, in one line.
  public let message: String

  /// A problem at a place.
  public init(file: String?, line: Int?, message: String) {
    self.file = file
    self.line = line
    self.message = message
  }

  /// A problem with one assignment, whose text begins the message.
  init(_ assignment: SettingsFile.Assignment, _ message: String) {
    let text = Self.shortened("\(assignment.key)=\(assignment.value)")
    self.init(file: assignment.file, line: assignment.line, message: "\(text): \(message)")
  }

  /// One line for the log: `/etc/kvnode.conf:12: MinFree=abc: expected a percentage such as 2% or a size such as 10G`.
  public var description: String {
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
public struct ConfigurationError: Error, Equatable, CustomStringConvertible {
  /// The errors in the order of the files and lines, those about several lines last; never empty.
  public let problems: [ConfigurationProblem]
  /// What would have been warned of beside them; an ignored key often explains an error.
  public let warnings: [ConfigurationProblem]

  /// At least one problem, and what was odd beside it.
  public init(problems: [ConfigurationProblem], warnings: [ConfigurationProblem] = []) {
    precondition(!problems.isEmpty, "an error without a problem")
    self.problems = problems
    self.warnings = warnings
  }

  /// The errors, a line each.
  public var description: String { problems.map(\.description).joined(separator: "\n") }
}
