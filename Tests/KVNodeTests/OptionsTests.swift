import Testing

@testable import kvnode

struct OptionsTests {
  @Test(
    arguments: [
      ([], .run, nil), (["--config", "a.conf"], .run, "a.conf"), (["--config=a=b.conf"], .run, "a=b.conf"),
      (["--check-config"], .checkConfiguration, nil), (["--version"], .showVersion, nil), (["--help"], .showHelp, nil),
      (["-h"], .showHelp, nil), (["--check-config", "--config", "a"], .checkConfiguration, "a"),
      (["--config", "a", "--config", "b"], .run, "b"), (["--config", "--version"], .run, "--version"),
    ] as [([String], Options.Action, String?)])
  func readsArguments(arguments: [String], action: Options.Action, file: String?) throws {
    let options = try Options(parsing: arguments)
    #expect(options.action == action)
    #expect(options.configurationFile == file)
  }

  @Test(
    arguments: [
      (["--config"], "--config needs a file"), (["--config", ""], "--config needs a file"),
      (["--check-config", "--config"], "--config needs a file"), (["--port"], "unknown argument '--port'"),
      (["--state"], "--state needs a directory"), (["a.conf"], "unknown argument 'a.conf'"),
      ([""], "unknown argument ''"), (["-v"], "unknown argument '-v'"),
    ] as [([String], String)])
  func refusesOthers(arguments: [String], message: String) {
    #expect(throws: UsageError(message: message)) { try Options(parsing: arguments) }
  }

  @Test(arguments: ["--config", "--state", "--check-config", "--quiet", "--version", "--help"])
  func theUsageNamesEachOption(option: String) {
    #expect(Options.usage.contains("\n  \(option) "))
  }

  @Test func readsWhereTheNodeRemembersItsStore() throws {
    #expect(try Options(parsing: []).stateDirectory == nil)
    #expect(try Options(parsing: ["--state", "/var/lib/x"]).stateDirectory == "/var/lib/x")
    #expect(try Options(parsing: ["--check-config", "--quiet"]).isQuiet)
  }
}
