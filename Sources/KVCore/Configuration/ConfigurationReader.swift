/// Applies the assignments of all files, in order, to the defaults.
struct ConfigurationReader {
  private typealias Assignment = SettingsFile.Assignment

  /// The keys of a section with fixed keys, and what reads each.
  private typealias Keys = [(name: String, read: @Sendable (inout ConfigurationReader, Assignment) -> Void)]

  private enum Section {
    case keys(String, Keys)
    case peers
    /// Warned of at its header, and skipped.
    case unknown
  }

  private let hostName: String
  private let mainFile: String?
  private let isNode: Bool
  private let defaults: Configuration
  private var configuration: Configuration
  private var peerList = PeerListReader()
  /// What `Listen=` was set to; `nil` while it has its default.
  private var listen: [(address: ListenAddress, assignment: Assignment)]?
  /// The assignment that decided each key of the fixed sections; none for a key at its default.
  private var deciding: [String: Assignment] = [:]
  /// The keys of the fixed sections whose value was refused; checks of their fields would blame a stand-in.
  private var refused: Set<String> = []
  private var errors = ConfigurationProblemList()
  private var warnings = ConfigurationProblemList()

  init(hostName: String, mainFile: String?, isNode: Bool = true) {
    self.hostName = hostName
    self.mainFile = mainFile
    self.isNode = isNode
    defaults = Configuration(nodeName: hostName)
    configuration = defaults
  }

  /// Applies one file.
  mutating func read(_ file: SettingsFile) {
    var section: Section?
    for item in file.items {
      switch item {
      case .section(let name, let line):
        section = enter(name, file: file.name, line: line)
      case .assignment(let assignment):
        read(assignment, in: section)
      case .malformed(let problem):
        errors.append(problem)
      }
    }
  }

  private mutating func enter(_ name: String, file: String, line: Int) -> Section {
    switch name {
    case "Node": return .keys(name, Self.nodeKeys)
    case "Cluster": return .keys(name, Self.clusterKeys)
    case "Limits": return .keys(name, Self.limitKeys)
    case "Access": return .keys(name, Self.accessKeys)
    case "TLS": return .keys(name, Self.tlsKeys)
    case "HTTP": return .keys(name, Self.httpKeys)
    case "Peers": return .peers
    default:
      let header = "[\(ConfigurationProblem.shortened(name))]"
      let message =
        "\(header): unknown section, ignored; known are [Node], [Cluster], [Peers], [Limits], [Access], [TLS], [HTTP]"
      warnings.append(ConfigurationProblem(file: file, line: line, message: message))
      return .unknown
    }
  }

  private mutating func read(_ assignment: Assignment, in section: Section?) {
    switch section {
    case nil:
      errors.append(ConfigurationProblem(assignment, "expected a section such as [Node] before it"))
    case .unknown:
      break
    case .peers:
      do throws(SettingError) {
        try peerList.read(assignment)
      } catch {
        refuse(assignment, error)
      }
    case .keys(let name, let keys):
      guard let key = keys.first(where: { $0.name == assignment.key }) else {
        let known = keys.map(\.name).joined(separator: ", ")
        warnings.append(ConfigurationProblem(assignment, "unknown key in [\(name)], ignored; known are \(known)"))
        return
      }
      deciding[key.name] = assignment.value.isEmpty ? nil : assignment
      key.read(&self, assignment)
    }
  }

  private static let nodeKeys: Keys = [
    ("Name", { $0.set(\.nodeName, $1, NodeName.parse) }),
    ("Listen", { $0.addListen($1) }),
    ("AdminListen", { $0.set(\.adminListen, $1, ListenAddress.init(parsing:)) }),
    ("DataDirectory", { $0.set(\.dataDirectory, $1, DirectoryPath.parse) }),
    ("Durability", { $0.set(\.durability, $1, Durability.init(parsing:)) }),
    ("AccessLog", { $0.set(\.logsAccess, $1, Switch.parse) }),
    ("MinFree", { $0.set(\.minimumFree, $1, FreeSpaceReserve.init(parsing:)) }),
  ]

  private static let clusterKeys: Keys = [
    ("Replicas", { $0.set(\.cluster.copies, $1, ClusterSettings.parseCopies) }),
    ("Placement", { $0.set(\.cluster.placement, $1, PlacementRule.init(parsing:)) }),
    ("Reads", { $0.set(\.cluster.reads, $1, ReadConsistency.init(parsing:)) }),
    ("Secret", { $0.set(\.cluster.secretFile, $1, CredentialPath.parse) }),
  ]

  private static let limitKeys: Keys = [
    ("MaxConnections", { $0.set(\.limits.connectionsMax, $1, Limits.parseConnections) }),
    ("MaxValueSize", { $0.set(\.limits.valueBytesMax, $1, Limits.parseValueBytes) }),
    ("MoveRate", { $0.set(\.moveBytesPerSecondMax, $1, Limits.parseMoveRate) }),
    ("HeaderTimeout", { $0.set(\.limits.headerTimeout, $1, Limits.parseTimeout) }),
    ("IdleTimeout", { $0.set(\.limits.idleTimeout, $1, Limits.parseTimeout) }),
    ("ConnectTimeout", { $0.set(\.limits.connectTimeout, $1, Limits.parseTimeout) }),
    ("DrainTimeout", { $0.set(\.limits.drainTimeout, $1, Limits.parseTimeout) }),
  ]

  private static let accessKeys: Keys = [
    ("AllowedClients", { $0.addBlocks(\.access.allowedClients, $1) }),
    ("AllowedPeers", { $0.addBlocks(\.access.allowedPeers, $1) }),
    ("Open", { $0.set(\.access.isOpenToAll, $1, Switch.parse) }),
    ("Tokens", { $0.set(\.access.tokensFile, $1, FilePath.parse) }),
    ("AdminTokens", { $0.set(\.access.adminTakesTokens, $1, Switch.parse) }),
    ("Anonymous", { $0.set(\.access.anonymous, $1, Grants.init(parsing:)) }),
  ]

  private static let tlsKeys: Keys = [
    ("Certificate", { $0.set(\.tls.certificateFile, $1, FilePath.parse) }),
    ("PrivateKey", { $0.set(\.tls.privateKeyFile, $1, CredentialPath.parse) }),
    ("MinimumVersion", { $0.set(\.tls.minimumVersion, $1, TLSVersion.init(parsing:)) }),
    ("ClientAuthorities", { $0.set(\.tls.clientAuthoritiesFile, $1, FilePath.parse) }),
    ("Peers", { $0.set(\.tls.betweenNodes, $1, TLSSettings.BetweenNodes.init(parsing:)) }),
    ("PeerAuthorities", { $0.set(\.tls.peerAuthoritiesFile, $1, FilePath.parse) }),
    ("Required", { $0.set(\.tls.required, $1, TLSSettings.Requirement.init(parsing:)) }),
  ]

  private static let httpKeys: Keys = [
    ("AllowedOrigins", { $0.set(\.http.allowedOrigins, $1, HTTPSettings.parseOrigins) }),
    ("AllowedHosts", { $0.set(\.http.allowedHosts, $1, HTTPSettings.parseHosts) }),
  ]

  /// Adds to a list of blocks, which an empty value empties.
  private mutating func addBlocks(_ field: WritableKeyPath<Configuration, [AddressBlock]>, _ assignment: Assignment) {
    do throws(SettingError) {
      let blocks = try AddressBlock.parseList(assignment.value)
      configuration[keyPath: field] = blocks.isEmpty ? [] : configuration[keyPath: field] + blocks
    } catch {
      refuse(assignment, error)
    }
  }

  /// Sets a field to the value, or to its default where the value is empty.
  private mutating func set<Value>(
    _ field: WritableKeyPath<Configuration, Value>, _ assignment: Assignment,
    _ parse: (String) throws(SettingError) -> Value
  ) {
    do throws(SettingError) {
      configuration[keyPath: field] =
        assignment.value.isEmpty ? defaults[keyPath: field] : try parse(assignment.value)
    } catch {
      refused.insert(assignment.key)
      refuse(assignment, error)
    }
  }

  /// Adds to the list, which an empty value empties.
  private mutating func addListen(_ assignment: Assignment) {
    guard !assignment.value.isEmpty else {
      listen = []
      return
    }
    do throws(SettingError) {
      let address = try ListenAddress(parsing: assignment.value)
      if let other = listen?.first(where: { $0.address.overlaps(address) }) {
        let place = "\(other.assignment.file):\(other.assignment.line)"
        throw SettingError(expected: "an address that is not in use; \(place) listens on \(other.address)")
      }
      listen = (listen ?? []) + [(address, assignment)]
    } catch {
      refuse(assignment, error)
    }
  }

  private mutating func refuse(_ assignment: Assignment, _ error: SettingError) {
    let hasComment = assignment.value.contains(" #") || assignment.value.contains(" ;")
    let hint = hasComment ? "; a comment needs a line of its own" : ""
    errors.append(ConfigurationProblem(assignment, "\(error)\(hint)"))
  }

  /// Checks what several lines decide together, and hands out the result.
  mutating func finish(isMember: (String, String) -> Bool) throws(ConfigurationError) -> (
    Configuration, [ConfigurationProblem]
  ) {
    configuration.listen = listen?.map(\.address) ?? defaults.listen
    configuration.peers = peerList.peers
    checkAdminListen()
    checkCopies()
    checkGuard()
    checkTokens()
    checkTLS()
    peerList.sharedAddresses.forEach { errors.append($0) }
    checkName(isMember)
    guard errors.problems.isEmpty else {
      throw ConfigurationError(problems: errors.problems, warnings: warnings.problems)
    }
    checkAccess()
    checkWeights()
    return (configuration, warnings.problems)
  }

  private mutating func checkAdminListen() {
    let admin = configuration.adminListen
    guard !refused.contains("AdminListen"),
      let client = configuration.listen.first(where: { $0.overlaps(admin) })
    else { return }
    let expected = "expected an address that is not in use"
    if let assignment = deciding["AdminListen"] {
      errors.append(ConfigurationProblem(assignment, "\(expected); Listen= has \(client)"))
    } else if let assignment = listen?.first(where: { $0.address == client })?.assignment {
      errors.append(ConfigurationProblem(assignment, "\(expected); AdminListen= has \(admin)"))
    }
  }

  /// No node holds two copies of a value.
  private mutating func checkCopies() {
    guard let assignment = deciding["Replicas"], !refused.contains("Replicas") else { return }
    let count = max(configuration.peers.count, 1)
    guard configuration.cluster.copies > count else { return }
    let nodes = count == 1 ? "there is 1 node" : "there are \(count) nodes"
    errors.append(ConfigurationProblem(assignment, "expected at most \(count), for \(nodes)"))
  }

  /// Whoever passes for a node needs no token: so it must be said who may.
  private mutating func checkGuard() {
    let access = configuration.access
    guard access.isGuarded, configuration.peers.count > 1, deciding["AllowedPeers"] == nil,
      deciding["Secret"] == nil, configuration.tls.betweenNodes != .required,
      let assignment = deciding["Tokens"] ?? deciding["Anonymous"]
    else { return }
    let message =
      "expected Secret= in [Cluster], Peers=required in [TLS] or AllowedPeers= beside it: anybody could pass for a node, which needs no token"
    errors.append(ConfigurationProblem(assignment, message))
  }

  /// Where tokens are asked for, there must be some.
  private mutating func checkTokens() {
    guard configuration.access.tokensFile == nil else { return }
    if configuration.access.adminTakesTokens, let assignment = deciding["AdminTokens"] {
      errors.append(ConfigurationProblem(assignment, "expected Tokens= beside it"))
    }
    if configuration.tls.clientAuthoritiesFile != nil, let assignment = deciding["ClientAuthorities"] {
      let message = "expected Tokens= in [Access] beside it: a certificate stands for the token of its name"
      errors.append(ConfigurationProblem(assignment, message))
    }
  }

  /// A certificate is of no use without its key, and nothing else of the section without a certificate.
  private mutating func checkTLS() {
    let halves = [deciding["Certificate"], deciding["PrivateKey"]].compactMap(\.self)
    let tls = configuration.tls
    if halves.count < 2,
      let assignment = halves.first ?? deciding["Required"] ?? deciding["Peers"] ?? deciding["ClientAuthorities"],
      !halves.isEmpty || tls.required != .no || tls.betweenNodes != .no || tls.clientAuthoritiesFile != nil
    {
      errors.append(ConfigurationProblem(assignment, "expected both Certificate= and PrivateKey= in [TLS]"))
    }
    if tls.required == .all, tls.betweenNodes == .no, configuration.peers.count > 1,
      let assignment = deciding["Required"]
    {
      errors.append(ConfigurationProblem(assignment, "expected Peers=accepted or Peers=required in [TLS] beside it"))
    }
    if tls.betweenNodes != .no, tls.peerAuthoritiesFile == nil, let assignment = deciding["Peers"] {
      errors.append(ConfigurationProblem(assignment, "expected PeerAuthorities= beside it"))
    }
  }

  /// Warns of what is said of nodes and has no effect.
  private mutating func checkWeights() {
    guard configuration.cluster.placement == .ranges else { return }
    for (peer, assignment) in peerList.weighed {
      let what = peer.zone == nil ? "weight=" : peer.weight == 1 ? "zone=" : "weight= and zone="
      let message = "\(what) of \(peer.name) has no effect without Placement=rendezvous in [Cluster]"
      warnings.append(ConfigurationProblem(assignment, message))
    }
  }

  /// Checks that the node has a name, and a place among the peers if there are any, or had one.
  private mutating func checkName(_ isMember: (String, String) -> Bool) {
    guard isNode, !refused.contains("Name") else { return }
    let name = configuration.nodeName
    if deciding["Name"] == nil {
      do throws(SettingError) {
        _ = try NodeName.parse(name)
      } catch {
        let message = "this host's name \(name.debugDescription) cannot name the node: \(error); set Name= in [Node]"
        errors.append(ConfigurationProblem(file: mainFile, line: nil, message: message))
        return
      }
    }
    let names = peerList.names
    guard let firstPeer = peerList.firstAssignment, !names.contains(name) else { return }
    guard !isMember(name, configuration.dataDirectory) else {
      let message =
        "[Peers] does not have this node, \(name): what it stores moves to the others, and then it only relays"
      warnings.append(ConfigurationProblem(file: firstPeer.file, line: firstPeer.line, message: message))
      return
    }
    let add = "add \(name) to [Peers] on every node"
    if let assignment = deciding["Name"] {
      let message = "expected a name in [Peers], which has \(Self.listed(names)); correct it here, or \(add)"
      errors.append(ConfigurationProblem(assignment, message))
    } else {
      let message =
        "[Peers] has \(Self.listed(names)), but not this node, named \(name) after its host;"
        + " set Name= in [Node] to one of them, or \(add)"
      errors.append(ConfigurationProblem(file: firstPeer.file, line: firstPeer.line, message: message))
    }
  }

  /// Warns of peers whose connections or requests will be refused. What addresses a host's name has is not known here.
  private mutating func checkAccess() {
    guard isNode, let assignment = deciding["AllowedPeers"] ?? deciding["AllowedClients"] else { return }
    let access = configuration.access
    let refusedPeers = configuration.peers.filter { peer in
      guard peer.name != configuration.nodeName, case .address(let address) = peer.address.host else { return false }
      return !access.permitsConnection(from: address) || !access.permitsPeer(at: address)
    }
    guard !refusedPeers.isEmpty else { return }
    let names = Self.listed(refusedPeers.map(\.name))
    let message = "refuses \(names) of [Peers]; AllowedPeers= should list their addresses"
    warnings.append(ConfigurationProblem(assignment, message))
  }

  private static func listed(_ names: [String]) -> String {
    let countMax = 10
    let shown = names.prefix(countMax).joined(separator: ", ")
    return names.count <= countMax ? shown : "\(shown) and \(names.count - countMax) more"
  }
}
