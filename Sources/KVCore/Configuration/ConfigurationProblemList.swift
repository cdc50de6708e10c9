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
