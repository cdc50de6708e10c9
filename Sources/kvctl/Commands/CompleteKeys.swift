import ArgumentParser
import KVCore
import KVHTTP
import KVLinux
import Synchronization

/// `kvctl complete-keys`, for shells: the keys that a word may become, as far as they are told in time.
struct CompleteKeys: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "complete-keys", abstract: "List a few keys that begin with a word, for completion.",
    shouldDisplay: false)

  @Argument(help: "What the keys begin with.")
  var word = ""

  @OptionGroup var nodeOptions: NodeOptions

  func run() throws { for text in Self.candidates(word, nodeOptions) { Process.writeOutput("\(text)\n") } }

  /// What a shell may offer: keys, and beginnings of keys up to the next slash where several have the same.
  static func candidates(_ word: String, _ nodeOptions: NodeOptions) -> [String] {
    let offered = Offered()
    try? Runtime.run { () async throws(CommandError) in
      let nodes = try nodeOptions.load()
      let executor = IOExecutor.current
      await withTaskGroup(of: Void.self) { group in
        group.addTask(executorPreference: executor) {
          var query = ListRequest(prefix: Array(word.utf8))
          query.delimiter = [KeyCompletion.delimiter]
          let listing = KeyListing(query, nodes, valuesMax: KeyCompletion.keysMax)
          guard let page = try? await listing.next() else { return }
          offered.set(KeyCompletion.candidates(word: word, page))
        }
        group.addTask(executorPreference: executor) {
          _ = await executor.wait(until: .after(KeyCompletion.timeMax))
        }
        await group.next()
        group.cancelAll()
      }
    }
    return offered.texts
  }

  private final class Offered: Sendable {
    private let stored = Mutex<[String]>([])

    var texts: [String] { stored.withLock { $0 } }

    func set(_ texts: [String]) { stored.withLock { $0 = texts } }
  }
}

/// What is offered of a page of keys.
enum KeyCompletion {
  /// A person waits no longer for a shell.
  static let timeMax = Duration.seconds(2)
  /// A shell shows no more.
  static let keysMax = 500
  static let delimiter = UInt8(ascii: "/")

  /// The keys of a page that can be typed, those with another slash as one.
  static func candidates(word: String, _ page: KeyListing.Part) -> [String] {
    let wordBytes = word.utf8.count
    var texts: Set<String> = []
    for key in page.values.map(\.key) + page.prefixes {
      let slash = key.dropFirst(wordBytes).dropLast().firstIndex(of: delimiter)
      let offered = slash.map { Array(key[...$0]) } ?? key
      let text = PrintableText.escape(offered)
      // What had to be escaped would be another key.
      if text.utf8.elementsEqual(offered) { texts.insert(text) }
    }
    return texts.sorted()
  }
}

extension CompletionKind {
  /// Keys of the cluster.
  static var keys: CompletionKind {
    .custom { words, _, word in
      guard !word.hasPrefix("-") else { return [] }
      return CompleteKeys.candidates(word, (try? NodeOptions.parse(Self.nodeWords(in: words))) ?? NodeOptions())
    }
  }

  /// The options among the words that say whom to ask.
  private static func nodeWords(in words: [String]) -> [String] {
    var taken: [String] = []
    for (index, word) in words.enumerated() {
      let options = ["--node", "--config", "--token-file", "--ca", "--cert", "--key"]
      if options.contains(where: { word.hasPrefix("\($0)=") }) { taken.append(word) }
      if options.contains(word), index + 1 < words.count { taken += [word, words[index + 1]] }
    }
    return taken
  }
}
