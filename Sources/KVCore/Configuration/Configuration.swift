/// The configuration of a node: `/etc/kvnode.conf` and its drop-ins, read and checked.
public struct Configuration: Sendable, Equatable {
  /// The port for clients and peers where nothing else is said.
  public static let portDefault: UInt16 = PeerAddress.portDefault
  /// Where the admin port is where nothing else is said.
  public static let adminListenDefault = ListenAddress.address(.v4(0x7f00_0001), port: 7777)

  /// This node's name, see `NodeName`; one of the peers' unless there are none.
  public var nodeName: String
  /// Where to listen for clients and peers if systemd passes no socket. Empty only where the files say `Listen=` and
  /// nothing after it: then there is no such place.
  public var listen: [ListenAddress] = [.port(portDefault)]
  /// Where to listen for the administrator if systemd passes no socket.
  public var adminListen = adminListenDefault
  /// Where the values are stored: an absolute path without doubled and trailing slashes, `.` and `..`.
  public var dataDirectory = "/var/lib/kvnode"
  /// What an acknowledged write has survived.
  public var durability = Durability.full
  /// Whether each request is logged.
  public var logsAccess = true
  /// What stays free of the data directory's filesystem.
  public var minimumFree = FreeSpaceReserve.share(permyriad: 200)
  /// All nodes in order, this one included, at most 1024; empty for a single node. Names and addresses differ.
  public var peers: [Peer] = []
  /// Who may connect.
  public var access = Access()
  /// How much, and how long, the node puts up with.
  public var limits = Limits()

  /// The defaults, for a node of this name.
  public init(nodeName: String) {
    self.nodeName = nodeName
  }

  /// Reads the files of a configuration.
  ///
  /// - Parameters:
  ///   - files: Names, for messages, and contents; the main file first, then the drop-ins in the order of their names.
  ///   - hostName: The node's name where the files give none.
  ///   - isNode: False for a reader that is no node of the cluster: its name need not be among the peers.
  /// - Returns: The configuration, and a warning for each key and section that is not known.
  /// - Throws: Every error in the files, each with what was expected.
  public static func parse(
    files: [(name: String, contents: [UInt8])], hostName: String, isNode: Bool = true
  ) throws(ConfigurationError) -> (configuration: Configuration, warnings: [ConfigurationProblem]) {
    var reader = ConfigurationReader(hostName: hostName, mainFile: files.first?.name, isNode: isNode)
    for (name, contents) in files {
      reader.read(SettingsFile(name: name, contents: contents))
    }
    return try reader.finish()
  }
}
