import Logging

/// A log message as one line for people.
enum LogLine {
  /// The message, then its metadata in the order of their names.
  static func text(_ message: Logger.Message, _ metadata: Logger.Metadata) -> String {
    let pairs = metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
    return "\(message)\(pairs.joined())"
  }
}
