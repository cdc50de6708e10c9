import KVLinux
import Logging

/// A message on its way to the log, with what goes along.
struct LogEntry: Sendable {
  let level: Logger.Level
  let message: Logger.Message
  let metadata: Logger.Metadata
  /// The module that logged it.
  let source: String
  let file: String
  let function: String
  let line: UInt
  /// When it was logged.
  let time: String

  /// What tells of entries that had to be dropped.
  static func dropped(_ count: Int) -> LogEntry {
    LogEntry(
      level: .warning, message: "log lines were dropped, because nobody read them in time",
      metadata: ["lines": "\(count)"], source: "kvnode", file: #fileID, function: #function, line: #line,
      time: Timestamp.now)
  }
}

/// Puts messages into the queue to the log.
struct QueueLogHandler: LogHandler {
  let queue: LogQueue<LogEntry>
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?
  var logLevel = Logger.Level.info

  init(_ queue: LogQueue<LogEntry>) { self.queue = queue }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    queue.push(
      LogEntry(
        level: event.level, message: event.message, metadata: metadata.merging(event.metadata ?? [:]) { $1 },
        source: event.source, file: event.file, function: event.function, line: event.line, time: Timestamp.now))
  }
}

/// Where log entries end: the journal, with a field for each piece of metadata (`key` becomes `KVNODE_KEY=`), or standard
/// error, a line each.
enum LogSink {
  /// Writes an entry. May block.
  static func write(_ entry: LogEntry, toJournal: Bool) {
    if toJournal, Journal.send(fields(entry)) { return }
    let fields = LogLine.fields(entry.metadata)
    Process.writeError(
      "\(entry.time) \(entry.level) kvnode:\(fields) [\(entry.source)] \(entry.message)\n")
  }

  private static func fields(_ entry: LogEntry) -> [String] {
    [
      "MESSAGE=\(LogLine.text(entry.message, entry.metadata))", "PRIORITY=\(priority(entry.level))",
      "SYSLOG_IDENTIFIER=kvnode", "CODE_FILE=\(entry.file)", "CODE_LINE=\(entry.line)",
      "CODE_FUNC=\(entry.function)",
    ] + entry.metadata.map { "KVNODE_\($0.key.uppercased())=\($0.value)" }
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
  /// The metadata in the order of their names, a space before each.
  static func fields(_ metadata: Logger.Metadata) -> String {
    metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
  }

  /// The message, then its metadata in the order of their names.
  static func text(_ message: Logger.Message, _ metadata: Logger.Metadata) -> String {
    "\(message)\(fields(metadata))"
  }
}
