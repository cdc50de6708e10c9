import KVCore
import KVLinux

/// Why a command did not do what it was asked: one line for people and a number for scripts.
struct CommandError: Error, Equatable, Sendable {
  let status: ExitStatus
  let message: String

  init(_ status: ExitStatus, _ message: String) {
    self.status = status
    self.message = message
  }

  /// Runs a call whose error is about a file, or something like one.
  static func naming<Result: ~Copyable>(
    _ name: String, _ call: () throws(SystemError) -> Result
  ) throws(CommandError) -> Result {
    try translatingError({ CommandError(.failure, "\(name): \($0.reason)") }, call)
  }

  /// What a node answered with a status of HTTP.
  init(httpStatus: Int, _ message: String) {
    let status: ExitStatus =
      switch httpStatus {
      case 404: .noSuchKey
      case 412: .preconditionFailed
      case 503: .unreachable
      default: .failure
      }
    self.init(status, message)
  }
}

extension CommandError {
  /// There is no value under the key. `subject` names what was asked.
  static func absent(_ subject: String) -> CommandError { CommandError(.noSuchKey, "\(subject): no such key") }
}
