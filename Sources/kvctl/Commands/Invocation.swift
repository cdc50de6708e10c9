/// What a command line asks for, as far as the library that takes it apart gets it wrong.
enum Invocation {
  /// What makes the library print something and end well.
  private static let questions: Set<String> = [
    "-h", "--help", "--help-hidden", "--version", "--generate-completion-script", "--experimental-dump-help",
    "---completion",
  ]

  /// Whether an option that asks for help or the like stands there by itself; the library also takes the `h` in `-hash`
  /// for one. Without any word, help is all there is to give.
  static func asksForText(_ arguments: [String]) -> Bool {
    arguments.isEmpty || arguments.first == "help"
      || options(in: arguments).contains { questions.contains(String($0.prefix { $0 != "=" })) }
  }

  /// The options that may stand before the command and have a value.
  private static let optionsWithValue: Set<String> = ["--config", "--node", "--token-file", "--ca", "--cert", "--key"]
  private static let optionsWithoutValue: Set<String> = ["--no-progress"]

  /// The word in the place of the command, or of the one that `help` is wanted for; nil where it cannot be told which that
  /// is, or where there is none.
  static func command(in arguments: [String]) -> String? {
    var words = arguments[...]
    while let word = words.popFirst() {
      if word == "help" { return words.first { !$0.hasPrefix("-") } ?? word }
      guard word.hasPrefix("-") else { return word }
      if optionsWithValue.contains(word) {
        _ = words.popFirst()
      } else if !optionsWithoutValue.contains(word), !optionsWithValue.contains(where: { word.hasPrefix("\($0)=") }) {
        return nil
      }
    }
    return nil
  }

  /// One line on a command line that was refused, or that asked for help without meaning to. `reason` is the library's.
  static func complaint(_ arguments: [String], reason: String) -> String {
    guard let word = suspect(in: arguments) else { return firstLine(reason) }
    return "'\(word)' is no option; a key or file that begins with a hyphen comes last, after --"
  }

  /// The first word with one hyphen and several letters, unless it is a number.
  private static func suspect(in arguments: [String]) -> String? {
    options(in: arguments).first { $0.count > 2 && !$0.hasPrefix("--") && Int($0) == nil }
  }

  /// The words that the library may take for options.
  private static func options(in arguments: [String]) -> [String] {
    arguments.prefix { $0 != "--" }.filter { $0.hasPrefix("-") }
  }

  private static func firstLine(_ text: String) -> String {
    let line = String(text.prefix { $0 != "\n" })
    return line.isEmpty ? "the command line cannot be understood" : line
  }
}
