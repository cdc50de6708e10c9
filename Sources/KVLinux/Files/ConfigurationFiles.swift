import KVCore

/// Finds and reads the configuration's files: the main one, then the drop-ins beside it in name order.
package struct ConfigurationFiles: Sendable {
  /// The main file where nobody names another.
  package static let standardPath = "/etc/kvnode.conf"
  private static let bytesMax = 1 << 20

  /// The main file; its drop-ins are `*.conf` in the directory of that name with `.d` added.
  package let path: String
  /// Whether it is an error that the main file is missing: it is where somebody named it.
  let isRequired: Bool

  /// The files that go with a main file; nil stands for the standard one, which may be missing.
  package init(named path: String?) {
    self.path = path ?? Self.standardPath
    isRequired = path != nil
  }

  /// The checked configuration and what is odd about it.
  ///
  /// `isNode` is false for a reader that is no node of the cluster itself: it need not be one of the peers. `isMember` is
  /// as `Configuration` has it.
  package func load(
    isNode: Bool = true, isMember: (_ name: String, _ dataDirectory: String) -> Bool = { _, _ in false }
  ) throws(ConfigurationError) -> (configuration: Configuration, warnings: [ConfigurationProblem]) {
    var files: [(name: String, contents: [UInt8])] = []
    if let main = try contents(of: path, isRequired: isRequired) { files.append((path, main)) }
    for name in try dropIns() {
      if let dropIn = try contents(of: name, isRequired: true) { files.append((name, dropIn)) }
    }
    return try Configuration.parse(files: files, hostName: Process.hostName, isNode: isNode, isMember: isMember)
  }

  private func dropIns() throws(ConfigurationError) -> [String] {
    let directoryPath = path + ".d"
    do throws(SystemError) {
      let names = try Directory(path: directoryPath).names()
      return names.filter { $0.hasSuffix(".conf") && !$0.hasPrefix(".") }.sorted().map { "\(directoryPath)/\($0)" }
    } catch  where error.isAbsent {
      return []
    } catch {
      throw unreadable(directoryPath, error)
    }
  }

  private func contents(of path: String, isRequired: Bool) throws(ConfigurationError) -> [UInt8]? {
    do throws(SystemError) {
      // One byte more than allowed, so that a larger file is refused rather than cut.
      return try File(path: path).contents(bytesMax: Self.bytesMax + 1)
    } catch  where error.isAbsent && !isRequired {
      return nil
    } catch {
      throw unreadable(path, error)
    }
  }

  private func unreadable(_ path: String, _ error: SystemError) -> ConfigurationError {
    ConfigurationError(
      problems: [ConfigurationProblem(file: path, line: nil, message: "cannot be read: \(error.reason)")])
  }
}
