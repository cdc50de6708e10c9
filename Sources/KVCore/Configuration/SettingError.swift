/// Why the text of one setting is refused.
///
/// The parsers of this folder throw it without knowing which file, line and key the text came from;
/// whoever knows adds them, see `ConfigurationProblem`.
public struct SettingError: Error, Equatable, CustomStringConvertible {
  /// What was expected instead, as the end of a sentence: "a size such as 128M".
  public let expected: String

  /// An error that says what was expected.
  public init(expected: String) {
    self.expected = expected
  }

  /// The end of an error message: "expected a size such as 128M".
  public var description: String { "expected \(expected)" }
}
