import Testing

@testable import kvctl

@Suite struct InvocationTests {
  @Test(arguments: [
    [], ["-h"], ["put", "--help"], ["put", "-h"], ["help", "put"], ["--version"], ["ls", "key", "-h"],
    ["--generate-completion-script", "bash"], ["--generate-completion-script=bash"],
  ])
  func tellsWhoAsksForText(arguments: [String]) { #expect(Invocation.asksForText(arguments)) }

  @Test(arguments: [["put", "-hash", "file"], ["get", "-eh", "key"], ["--node", "192.0.2.1"], ["put", "--", "-h"]])
  func tellsWhoDoesNot(arguments: [String]) { #expect(!Invocation.asksForText(arguments)) }

  @Test(arguments: ["-hash", "-help", "-dash", "-x.y"])
  func namesWhatLooksLikeAKey(word: String) {
    #expect(
      Invocation.complaint(["put", word, "file"], reason: "Unknown option")
        == "'\(word)' is no option; a key or file that begins with a hyphen comes last, after --")
  }

  @Test(arguments: [["ls", "--limit", "-12"], ["put", "-x"], ["put", "--hash"], ["put", "--", "-hash"]])
  func leavesTheRestToTheLibrary(arguments: [String]) {
    #expect(Invocation.complaint(arguments, reason: "Unknown option\nUsage: …") == "Unknown option")
  }

  @Test(arguments: [
    (["ls"], "ls"), (["--config", "file", "ls", "get"], "ls"), (["--config=file", "--no-progress", "ls"], "ls"),
    (["--node", "a", "--node", "b", "foo", "--help"], "foo"), (["help", "foo"], "foo"), (["help"], "help"),
    (["help", "--help"], "help"),
  ])
  func findsTheCommand(arguments: [String], command: String) { #expect(Invocation.command(in: arguments) == command) }

  @Test(arguments: [[], ["--help", "foo"], ["--version"], ["--bogus", "foo"], ["--", "foo"], ["--node", "foo"]])
  func findsNone(arguments: [String]) { #expect(Invocation.command(in: arguments) == nil) }

  @Test func alwaysSaysSomething() { #expect(!Invocation.complaint([], reason: "").isEmpty) }
}
