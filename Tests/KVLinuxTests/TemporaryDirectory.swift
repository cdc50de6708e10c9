import Foundation

/// A directory that goes away with the object. Below /var/tmp, which unlike /tmp is no tmpfs: not every kernel
/// has extended attributes there.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    let parent = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/var/tmp"
    path = "\(parent)/kvnode-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
