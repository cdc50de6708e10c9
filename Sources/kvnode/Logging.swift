import KVLinux
import Logging

/// Sends log messages to the journal with a field for each piece of metadata: `key` becomes `KVNODE_KEY=`.
struct JournalLogHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?
  var logLevel = Logger.Level.info

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let metadata = metadata.merging(event.metadata ?? [:]) { $1 }
    let fields =
      [
        "MESSAGE=\(LogLine.text(event.message, metadata))", "PRIORITY=\(Self.priority(event.level))",
        "SYSLOG_IDENTIFIER=kvnode", "CODE_FILE=\(event.file)", "CODE_LINE=\(event.line)",
        "CODE_FUNC=\(event.function)",
      ] + metadata.map { "KVNODE_\($0.key.uppercased())=\($0.value)" }
    if !Journal.send(fields) { Process.writeError("\(event.level): \(LogLine.text(event.message, metadata))\n") }
  }

  /// The level as syslog(3) counts it.
  private static func priority(_ level: Logger.Level) -> Int {
    switch level {
    case .trace, .debug: 7
    case .info: 6
    case .notice: 5
    case .warning: 4
    case .error: 3
    case .critical: 2
    }
  }
}

/// A log message as one line for people.
enum LogLine {
  /// The message, then its metadata in the order of their names.
  static func text(_ message: Logger.Message, _ metadata: Logger.Metadata) -> String {
    let pairs = metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
    return "\(message)\(pairs.joined())"
  }
}
