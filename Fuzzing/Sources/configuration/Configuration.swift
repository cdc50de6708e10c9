import FuzzSupport
import KVCore

/// The input is the text of `kvnode.conf` and, each after a NUL, of its drop-ins.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let texts = input(start, count).split(separator: 0, omittingEmptySubsequences: false)
  let files = texts.enumerated().map { (name: "\($0.offset).conf", contents: Array($0.element)) }
  let asReader = parse(files, isNode: false)
  switch parse(files, isNode: true) {
  case .success(let configuration):
    require(asReader == .success(configuration), "a reader that is no node sees what the node sees")
    check(configuration)
  case .failure(let error):
    error.problems.forEach(checkTold)
    if case .success(let configuration) = asReader { check(configuration) }
  }
  return 0
}

private func parse(
  _ files: [(name: String, contents: [UInt8])], isNode: Bool
) -> Result<Configuration, ConfigurationError> {
  do throws(ConfigurationError) {
    let (configuration, warnings) = try Configuration.parse(files: files, hostName: "node1", isNode: isNode)
    warnings.forEach(checkTold)
    return .success(configuration)
  } catch {
    return .failure(error)
  }
}

private func checkTold(_ problem: ConfigurationProblem) {
  // A tab that an administrator wrote is quoted as it stands.
  let text = problem.description.split(separator: "\t").joined()
  require(isOneLine(text), "a problem is told in one line: \(text.debugDescription)")
  require(problem.line ?? 1 >= 1, "lines are counted from 1")
}

private func check(_ configuration: Configuration) {
  checkPeers(configuration.peers)
  checkDirectory(configuration.dataDirectory)
  checkLimits(configuration.limits)
  require(Set(configuration.listen).count == configuration.listen.count, "no address is listened on twice")
  require(!configuration.listen.contains(configuration.adminListen), "the admin port is another")
  let reserve = configuration.minimumFree.bytes(filesystemBytes: Int.max)
  require(reserve >= 0, "what stays free can be told for a file system of any size")
  let text = Array(written(configuration).utf8)
  let again = parse([(name: "written", contents: text)], isNode: false)
  require(again == .success(configuration), "written anew, it is the same configuration")
}

private func checkPeers(_ peers: [Peer]) {
  require(peers.count <= 1024, "there are at most 1024 peers")
  require(Set(peers.map(\.name)).count == peers.count, "no name is given twice")
  require(Set(peers.map(\.address)).count == peers.count, "no address is given twice")
  require(peers.allSatisfy { (try? NodeName.parse($0.name)) == $0.name }, "every peer has a name that can be one")
}

private func checkDirectory(_ path: String) {
  let bytes = Array(path.utf8)
  require(bytes.count <= 1024, "the store can append to the path")
  let components = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
  require(components.count > 1 && components[0].isEmpty, "the path is absolute")
  let refused = ["", ".", ".."].map { Array($0.utf8) }
  require(!components.dropFirst().contains(where: refused.contains), "no part of the path is empty, . or ..")
}

private func checkLimits(_ limits: Limits) {
  require((1...1_000_000).contains(limits.connectionsMax), "there is a limit to connections")
  require(limits.valueBytesMax ?? 1 > 0, "no limit is written as nil")
  for timeout in [limits.headerTimeout, limits.idleTimeout, limits.connectTimeout, limits.drainTimeout] {
    require((.milliseconds(1)...(.seconds(86_400))).contains(timeout), "every wait has an end")
  }
}

/// A file that says all that the configuration is.
private func written(_ configuration: Configuration) -> String {
  let listen = configuration.listen.map { "Listen=\($0)" }
  let peers = configuration.peers.map { "\($0.name)=\($0.address)" }
  let lines =
    [
      "[Node]", "Name=\(configuration.nodeName)", "AdminListen=\(configuration.adminListen)",
      "DataDirectory=\(writtenDirectory(configuration.dataDirectory))", "Durability=\(configuration.durability)",
      "AccessLog=\(configuration.logsAccess ? "yes" : "no")", "MinFree=\(written(configuration.minimumFree))",
      "Listen=",
    ] + listen + ["[Peers]"] + peers + writtenLimits(configuration.limits) + [
      "[Access]", "AllowedClients=\(written(configuration.access.allowedClients))",
      "AllowedPeers=\(written(configuration.access.allowedPeers))",
    ]
  return lines.joined(separator: "\n") + "\n"
}

private func writtenLimits(_ limits: Limits) -> [String] {
  [
    "[Limits]", "MaxConnections=\(limits.connectionsMax)", "MaxValueSize=\(limits.valueBytesMax ?? 0)",
    "HeaderTimeout=\(written(limits.headerTimeout))", "IdleTimeout=\(written(limits.idleTimeout))",
    "ConnectTimeout=\(written(limits.connectTimeout))", "DrainTimeout=\(written(limits.drainTimeout))",
  ]
}

/// With a slash after what would be cut off, or be taken for the beginning of a continued line.
private func writtenDirectory(_ path: String) -> String {
  guard let last = path.utf8.last, [" ", "\t", "\\"].map({ UInt8(ascii: $0) }).contains(last) else { return path }
  return path + "/"
}

private func written(_ reserve: FreeSpaceReserve) -> String {
  switch reserve {
  case .bytes(let bytes): "\(bytes)"
  case .share(let permyriad): "\(permyriad / 100).\(permyriad % 100 / 10)\(permyriad % 10)%"
  }
}

/// In whole numbers: 295149 ms divided by one are 295148.99999999994.
private func written(_ duration: Duration) -> String {
  let (seconds, attoseconds) = duration.components
  return "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000)ms"
}

private func written(_ blocks: [AddressBlock]) -> String { blocks.map(\.description).joined(separator: " ") }
