import KVHTTP

/// The configuration of a node: `/etc/kvnode.conf` and its drop-ins, read and checked.
package struct Configuration: Sendable, Equatable {
  /// The port for clients and peers where nothing else is said.
  package static let portDefault: UInt16 = PeerAddress.portDefault
  /// Where the admin port is where nothing else is said.
  package static let adminListenDefault = ListenAddress.address(.v4(0x7f00_0001), port: 7777)

  /// This node's name, see `NodeName`; one of the peers' unless there are none.
  package var nodeName: String
  /// Where to listen for clients and peers if systemd passes no socket. Empty only where the files say `Listen=` and
  /// nothing after it: then there is no such place.
  package var listen: [ListenAddress] = [.port(portDefault)]
  /// Where to listen for the administrator if systemd passes no socket.
  package var adminListen = adminListenDefault
  /// Where the values are stored: an absolute path without doubled and trailing slashes, `.` and `..`.
  package var dataDirectory = "/var/lib/kvnode"
  /// What an acknowledged write has survived.
  package var durability = Durability.full
  /// Whether each request is logged.
  package var logsAccess = false
  /// What stays free of the data directory's filesystem.
  package var minimumFree = FreeSpaceReserve.share(permyriad: 200)
  /// All nodes in order, this one included, at most 1024; empty for a single node. Names and addresses differ.
  package var peers: [Peer] = []
  /// What all nodes are to agree on besides.
  package var cluster = ClusterSettings()
  /// Who may connect.
  package var access = Access()
  /// How connections are encrypted.
  package var tls = TLSSettings()
  /// What browsers may do.
  package var http = HTTPSettings()
  /// How much, and how long, the node puts up with.
  package var limits = Limits()
  /// How many bytes a second may come here from other nodes because a list changes; `nil` for no limit. It is no limit of
  /// a connection, each of which holds those.
  package var moveBytesPerSecondMax: Int? = 100 << 20

  /// Whether other hosts are refused, because nothing says which of them may come: a node fresh from its package is on a
  /// network that its administrator has not thought about yet.
  package var servesThisHostOnly: Bool { peers.isEmpty && access.isUnset }

  /// The defaults, for a node of this name.
  package init(nodeName: String) {
    self.nodeName = nodeName
  }

  /// Reads the files of a configuration.
  ///
  /// - Parameters:
  ///   - files: Names, for messages, and contents; the main file first, then the drop-ins in the order of their names.
  ///   - hostName: The node's name where the files give none.
  ///   - isNode: False for a reader that is no node of the cluster: its name need not be among the peers.
  ///   - isMember: Whether the node of a data directory goes by what others have decided with it: then the list may have
  ///     been made to let it go.
  /// - Returns: The configuration, and a warning for each key and section that is not known.
  /// - Throws: Every error in the files, each with what was expected.
  package static func parse(
    files: [(name: String, contents: [UInt8])], hostName: String, isNode: Bool = true,
    isMember: (_ name: String, _ dataDirectory: String) -> Bool = { _, _ in false }
  ) throws(ConfigurationError) -> (configuration: Configuration, warnings: [ConfigurationProblem]) {
    var reader = ConfigurationReader(hostName: hostName, mainFile: files.first?.name, isNode: isNode)
    for (name, contents) in files {
      reader.read(SettingsFile(name: name, contents: contents))
    }
    return try reader.finish(isMember: isMember)
  }
}

/// The `[Cluster]` section: what the operator wishes of all nodes together.
package struct ClusterSettings: Sendable, Equatable {
  /// How many copies there are of each value.
  package var copies = 1
  /// Which rule says who owns a slot.
  package var placement = PlacementRule.ranges
  /// What reads are answered from that do not say it themselves. Each node goes by its own.
  package var reads = ReadConsistency.majority
  /// The file with the cluster's secret, an absolute path or the name of a credential; nil where there is none.
  package var secretFile: String?
  /// What the file has. Only a node reads it.
  package var secret: ClusterSecret?

  /// The defaults.
  package init() {}

  /// Reads a number of copies.
  static func parseCopies(_ text: String) throws(SettingError) -> Int {
    guard let count = Int(decimalDigits: text), (1...7).contains(count) else {
      throw SettingError(expected: "a number of copies from 1 to 7")
    }
    return count
  }
}

/// Which rule says who owns a slot. docs/placement.md has both.
package enum PlacementRule: String, Sendable, WordSetting {
  /// Each node has a range of slots, in the order of the list.
  case ranges
  /// Each node draws for each slot: few values move when the list changes, and nodes may have weights and zones.
  case rendezvous
}

/// The `[Limits]` section: how much, and how long, one node puts up with.
package struct Limits: Sendable, Equatable {
  /// Client and peer connections served at once, 1 to 1,000,000.
  package var connectionsMax = 1024
  /// The longest value in bytes that a PUT may store; `nil` for no limit.
  package var valueBytesMax: Int?
  /// How long a client may take to send the first line, or the head, of a request.
  package var headerTimeout = Duration.seconds(10)
  /// How long a connection may move no byte.
  package var idleTimeout = Duration.seconds(60)
  /// How long connecting to a peer may take.
  package var connectTimeout = Duration.seconds(3)
  /// How long requests under way may go on once the node was told to stop.
  package var drainTimeout = Duration.seconds(90)

  /// The defaults.
  package init() {}

  /// Reads a number of connections.
  static func parseConnections(_ text: String) throws(SettingError) -> Int {
    guard let count = Int(decimalDigits: text), (1...1_000_000).contains(count) else {
      throw SettingError(expected: "a number of connections from 1 to 1000000")
    }
    return count
  }

  /// Reads the longest size of a value; 0 stands for no limit.
  static func parseValueBytes(_ text: String) throws(SettingError) -> Int? {
    let bytes = try ByteSize(parsing: text).bytes
    return bytes == 0 ? nil : bytes
  }

  /// Reads a rate in bytes a second; 0 stands for no limit.
  static func parseMoveRate(_ text: String) throws(SettingError) -> Int? {
    let bytes = try ByteSize(parsing: text).bytes
    guard bytes == 0 || bytes >= moveBytesPerSecondMin else {
      throw SettingError(expected: "a rate of at least \(moveBytesPerSecondMin) bytes a second, or 0 for no limit")
    }
    return bytes == 0 ? nil : bytes
  }

  /// Slower than this the node that sends would take the silence for a broken connection.
  private static let moveBytesPerSecondMin = 1 << 20

  /// Reads a timeout. Neither none nor one that outlasts a day is what anyone wants of a connection.
  static func parseTimeout(_ text: String) throws(SettingError) -> Duration {
    let duration = try TimeSpan(parsing: text).duration
    guard (Duration.milliseconds(1)...Duration.seconds(86_400)).contains(duration) else {
      throw SettingError(expected: "a time span from 1ms to 24h")
    }
    return duration
  }
}

/// The `[TLS]` section: how connections are encrypted. docs/security.md says what that is worth.
package struct TLSSettings: Sendable, Equatable {
  /// Who must connect so.
  package enum Requirement: String, Sendable, WordSetting {
    /// Nobody.
    case no
    /// All but other nodes.
    case clients
    /// Those too, and other hosts at the admin port.
    case all
  }

  /// Whether nodes encrypt what they tell each other.
  package enum BetweenNodes: String, Sendable, WordSetting {
    /// This one does not.
    case no
    /// This one does, and takes what others send in either way.
    case accepted
    /// All must.
    case required
  }

  /// The file with the certificate and its chain, an absolute path; nil where nothing is encrypted.
  package var certificateFile: String?
  /// The file with its key, an absolute path, or the name of a credential until the file has been looked for.
  package var privateKeyFile: String?
  /// The oldest version that is spoken.
  package var minimumVersion = TLSVersion.tls12
  /// Who must connect so.
  package var required = Requirement.no
  /// Whether nodes encrypt what they tell each other.
  package var betweenNodes = BetweenNodes.no
  /// The file with the authorities whose certificates stand for tokens of the names in them, an absolute path.
  package var clientAuthoritiesFile: String?
  /// The file with the authorities whose certificates nodes show each other, an absolute path.
  package var peerAuthoritiesFile: String?

  /// Nothing is encrypted.
  package init() {}
}

/// The versions of TLS that are in use.
package enum TLSVersion: String, Sendable, WordSetting {
  /// RFC 5246.
  case tls12 = "1.2"
  /// RFC 8446.
  case tls13 = "1.3"
}

/// The `[HTTP]` section: what scripts in browsers may do. docs/security.md says why.
package struct HTTPSettings: Sendable, Equatable {
  /// The origins whose scripts may read and write, in lower case, or `*`; empty for none but the node's own.
  package var allowedOrigins: [String] = []
  /// The names that requests may be sent to, in lower case; empty for any.
  package var allowedHosts: [String] = []

  /// None of either is named.
  package init() {}

  /// Reads origins (RFC 6454 section 6.2), separated by blanks.
  static func parseOrigins(_ text: String) throws(SettingError) -> [String] {
    guard let origins = words(text, where: { $0 == "*" || isOrigin($0) }) else {
      throw SettingError(expected: "origins such as https://app.example.com, or *")
    }
    return origins
  }

  /// Reads the names of hosts, without ports, separated by blanks.
  static func parseHosts(_ text: String) throws(SettingError) -> [String] {
    guard let names = words(text, where: { !$0.contains(":") && !$0.contains("/") }) else {
      throw SettingError(expected: "names of hosts without ports")
    }
    return names
  }

  private static func isOrigin(_ word: String) -> Bool {
    ["http://", "https://"].contains { scheme in
      word.hasPrefix(scheme) && word.count > scheme.count && !word.dropFirst(scheme.count).contains("/")
    }
  }

  private static func words(_ text: String, where isOne: (String) -> Bool) -> [String]? {
    let words = text.lowercased().split { $0 == " " || $0 == "\t" || $0 == "," }.map(String.init)
    return words.allSatisfy(isOne) ? words : nil
  }
}

/// Who may connect, by address. Addresses can be forged on an open network; docs/security.md says what this is worth.
package struct Access: Sendable, Equatable {
  /// Where clients may connect from; empty for anywhere.
  package var allowedClients: [AddressBlock] = []
  /// Where relayed requests may come from; empty for anywhere.
  package var allowedPeers: [AddressBlock] = []

  /// Whether a node without peers serves other hosts although no list says which.
  package var isOpenToAll = false
  /// The file with the tokens, an absolute path; nil where there are none.
  package var tokensFile: String?
  /// What the file has. Only a node reads it: until then nobody is known.
  package var tokens = TokenList([])
  /// What whoever shows no token may do; nil where nothing is said of it.
  package var anonymous: Grants?

  /// Whether the admin port asks for tokens too.
  package var adminTakesTokens = false

  /// The defaults.
  package init() {}

  /// Whether it depends on who asks what may be asked.
  package var isGuarded: Bool { tokensFile != nil || anonymous != nil }

  /// What may be asked without a token. Where only tokens are spoken of, other hosts need one, and the own one does not.
  package func anonymousGrants(isOwnHost: Bool) -> Grants {
    anonymous ?? (tokensFile == nil || isOwnHost ? .all : .none)
  }

  /// Whether there is no list.
  package var isUnrestricted: Bool { allowedClients.isEmpty && allowedPeers.isEmpty }

  /// Whether nothing is said of who may connect.
  var isUnset: Bool { isUnrestricted && !isOpenToAll && !isGuarded }

  /// Whether a connection from the address is taken at all: before its request is read, a node cannot be told from
  /// a client.
  package func permitsConnection(from address: IPAddress) -> Bool {
    allowedClients.isEmpty || contains(allowedClients, address) || contains(allowedPeers, address)
  }

  /// Whether requests from the address may be a client's.
  package func permitsClient(at address: IPAddress) -> Bool {
    allowedClients.isEmpty || contains(allowedClients, address)
  }

  /// Whether requests from the address may be relayed ones.
  package func permitsPeer(at address: IPAddress) -> Bool {
    allowedPeers.isEmpty || contains(allowedPeers, address)
  }

  private func contains(_ blocks: [AddressBlock], _ address: IPAddress) -> Bool {
    blocks.contains { $0.contains(address) }
  }
}

/// What an acknowledged write has survived.
package enum Durability: String, Sendable, WordSetting {
  /// The value is on stable storage and outlives a power cut.
  case full
  /// The value is in the page cache; a crash of the machine may lose it.
  case relaxed
}

/// One node of the cluster, this one included: a line of `[Peers]`.
package struct Peer: Sendable, Hashable, CustomStringConvertible {
  /// The node's name, see `NodeName`.
  package let name: String
  /// Where the other nodes reach it.
  package let address: PeerAddress
  /// How much it is to hold in comparison with the others.
  package let weight: Int
  /// What it may fail together with, or nil where it fails alone.
  package let zone: String?

  /// The weights there are.
  package static let weights = 1...65_535

  /// A peer of this name at this address.
  package init(name: String, address: PeerAddress, weight: Int = 1, zone: String? = nil) {
    precondition(Self.weights.contains(weight), "a weight is 1 to \(Self.weights.upperBound)")
    (self.name, self.address, self.weight, self.zone) = (name, address, weight, zone)
  }

  /// The peer as it is named in messages: `node2 (192.0.2.12:7776)`.
  package var description: String { "\(name) (\(address))" }
}

/// What may name a node: 1 to 64 ASCII letters, digits, `.`, `_` or `-`.
package enum NodeName {
  /// The longest name, in bytes; the kernel's host names are as long.
  package static let bytesMax = 64

  /// The text itself where it may name a node. Upper and lower case differ.
  package static func parse(_ text: String) throws(SettingError) -> String {
    guard (1...bytesMax).contains(text.utf8.count), text.utf8.allSatisfy(isAllowed) else {
      throw SettingError(expected: "a name of 1 to \(bytesMax) letters, digits, '.', '_' or '-'")
    }
    return text
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
    default: byte.isASCIILetter || byte.isASCIIDigit
    }
  }
}
