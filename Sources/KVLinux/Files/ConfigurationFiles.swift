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
    var (configuration, warnings) = try Configuration.parse(
      files: files, hostName: Process.hostName, isNode: isNode, isMember: isMember)
    if isNode { try Self.readBesides(&configuration, &warnings) }
    return (configuration, warnings)
  }

  /// Reads the files that the configuration names.
  private static func readBesides(
    _ configuration: inout Configuration, _ warnings: inout [ConfigurationProblem]
  ) throws(ConfigurationError) {
    do throws(ConfigurationError) {
      if let path = configuration.access.tokensFile {
        // Nobody else may be able to add one. Their hashes may be read by all.
        let contents = try contents(of: path, "go-w") { $0.isWritableByOthers }
        configuration.access.tokens = try TokenList(parsing: contents, named: path)
      }
      if let name = configuration.cluster.secretFile {
        let path = try credentialPath(name, "Secret")
        let contents = try secretContents(of: path)
        configuration.cluster.secret = try ClusterSecret(parsing: contents, named: path)
        try checkUnsigned(configuration, path, &warnings)
      }
      if let name = configuration.tls.privateKeyFile {
        let path = try credentialPath(name, "PrivateKey")
        _ = try secretContents(of: path)
        configuration.tls.privateKeyFile = path
      }
    } catch {
      throw ConfigurationError(problems: error.problems, warnings: warnings)
    }
  }

  /// Nodes need no token: where those pass that sign nothing, and anybody can be one, nobody needs one.
  private static func checkUnsigned(
    _ configuration: Configuration, _ path: String, _ warnings: inout [ConfigurationProblem]
  ) throws(ConfigurationError) {
    guard configuration.cluster.secret?.acceptsUnsigned == true else { return }
    let access = configuration.access
    guard access.isGuarded, access.allowedPeers.isEmpty, configuration.tls.betweenNodes != .required else {
      let message = "nodes that sign nothing are accepted too (unsigned)"
      return warnings.append(ConfigurationProblem(file: path, line: nil, message: message))
    }
    let message = "unsigned: expected AllowedPeers= beside it, where Tokens= or Anonymous= is set"
    throw ConfigurationError(problems: [ConfigurationProblem(file: path, line: nil, message: message)])
  }

  /// Where a credential lies; a path is its own.
  private static func credentialPath(_ name: String, _ key: String) throws(ConfigurationError) -> String {
    if name.hasPrefix("/") { return name }
    guard let directory = Process.environment("CREDENTIALS_DIRECTORY") else {
      let message = "\(key)=\(name): no credential is passed here (LoadCredential= of systemd): expected one, or a path"
      throw ConfigurationError(problems: [ConfigurationProblem(file: nil, line: nil, message: message)])
    }
    return "\(directory)/\(name)"
  }

  /// What is in a file that not everybody may read.
  private static func secretContents(of path: String) throws(ConfigurationError) -> [UInt8] {
    try contents(of: path, "g-w,o-rwx") { $0.isWritableByOthers || $0.isReadableByAll }
  }

  /// What is in a file, unless others may do with it what they must not. `remedy` is what chmod(1) is to be told.
  private static func contents(
    of path: String, _ remedy: String, unless isOpen: (File.Status) -> Bool
  ) throws(ConfigurationError) -> [UInt8] {
    let contents: [UInt8]?
    do throws(SystemError) {
      let file = try File(path: path)
      contents = isOpen(try file.status()) ? nil : try file.contents(bytesMax: bytesMax + 1)
    } catch {
      throw unreadable(path, error)
    }
    if let contents { return contents }
    let message = "others may read or write what they must not: expected what chmod \(remedy) leaves"
    throw ConfigurationError(problems: [ConfigurationProblem(file: path, line: nil, message: message)])
  }

  private func dropIns() throws(ConfigurationError) -> [String] {
    let directoryPath = path + ".d"
    do throws(SystemError) {
      let names = try Directory(path: directoryPath).names()
      return names.filter { $0.hasSuffix(".conf") && !$0.hasPrefix(".") }.sorted().map { "\(directoryPath)/\($0)" }
    } catch  where error.isAbsent {
      return []
    } catch {
      throw Self.unreadable(directoryPath, error)
    }
  }

  private func contents(of path: String, isRequired: Bool) throws(ConfigurationError) -> [UInt8]? {
    do throws(SystemError) {
      // One byte more than allowed, so that a larger file is refused rather than cut.
      return try File(path: path).contents(bytesMax: Self.bytesMax + 1)
    } catch  where error.isAbsent && !isRequired {
      return nil
    } catch {
      throw Self.unreadable(path, error)
    }
  }

  private static func unreadable(_ path: String, _ error: SystemError) -> ConfigurationError {
    ConfigurationError(
      problems: [ConfigurationProblem(file: path, line: nil, message: "cannot be read: \(error.reason)")])
  }
}
