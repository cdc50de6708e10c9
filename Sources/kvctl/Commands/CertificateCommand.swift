import ArgumentParser
import KVCore
import KVLinux

/// `kvctl cert`.
struct CertificateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cert", abstract: "Make certificates for those who have no authority.",
    subcommands: [Init.self, Client.self])

  /// `kvctl cert init`.
  struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a small authority, and a certificate for each host of [Peers].",
      discussion: """
        DIRECTORY then has authority.pem, which nodes and clients are to trust, its key, which is to be locked away, and \
        NAME.pem and NAME.key for each host. What is there already stays, so that it can be run again for a new host.
        """)

    @OptionGroup var making: MakingOptions
    @OptionGroup var configurationOption: ConfigurationOption
    @OptionGroup(visibility: .private) var progress: ProgressOption

    func run() throws {
      try ending { () throws(CommandError) in
        let peers = try configurationOption.load().peers
        guard !peers.isEmpty else {
          throw CommandError(.configuration, "there are no [Peers] to make certificates for")
        }
        try making.make(
          by: PairFiles.authority,
          peers.map { peer in
            let ownName = PeerAddress.Host.name(peer.name.lowercased())
            return (peer.name, peer.address.host == ownName ? [ownName] : [peer.address.host, ownName])
          })
      }
    }
  }

  /// `kvctl cert client`.
  struct Client: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a certificate for each of some clients, to be shown in a token's place.",
      discussion: """
        DIRECTORY then has clients.pem, which nodes are to know as ClientAuthorities=, its key, which is to be locked away, \
        and NAME.pem and NAME.key. What is there already stays. What a client may do, the token of its name says.
        """)

    @OptionGroup var making: MakingOptions

    @Argument(help: "The name of a token. May be repeated.", transform: { try parse($0) })
    var names: [String]

    @OptionGroup(visibility: .private) var configurationOption: ConfigurationOption
    @OptionGroup(visibility: .private) var progress: ProgressOption

    func run() throws {
      try ending { () throws(CommandError) in try making.make(by: PairFiles.clients, names.map { ($0, []) }) }
    }

    private static func parse(_ text: String) throws -> String {
      do throws(SettingError) { return try NodeName.parse(text) } catch {
        throw ValidationError("'\(text)': \(error)")
      }
    }
  }

  /// Where certificates are made, and for how long.
  struct MakingOptions: ParsableArguments {
    /// How long an authority is good, and so the longest that what it gives can be.
    private static let authorityDays = 3650

    @Argument(help: "Where the files are written; made where it is missing.", completion: .directory)
    var directory: String

    @Option(help: ArgumentHelp("How long the certificates are good.", valueName: "days"))
    var days = 825

    func validate() throws {
      guard (1...Self.authorityDays).contains(days) else {
        throw ValidationError("--days is 1 to \(Self.authorityDays)")
      }
    }

    /// Makes what is not there yet.
    func make(by authorityName: String, _ owners: [(name: String, hosts: [PeerAddress.Host])]) throws(CommandError) {
      let taken = [PairFiles.authority, PairFiles.clients]
      if let owner = owners.first(where: { taken.contains($0.name) }) {
        throw CommandError(.failure, "\(owner.name): this name is taken, by an authority's files")
      }
      let files = PairFiles(directory: directory)
      try files.makeDirectory()
      let authority = try authority(authorityName, in: files)
      for owner in owners where !files.has(owner.name) {
        let pair = try Self.making { () throws(TLSError) in
          try authority.issue(name: owner.name, hosts: owner.hosts, days: days)
        }
        try files.write(pair, owner.name)
        try StandardOutput().write("\(directory)/\(owner.name).pem\n")
      }
    }

    /// The one in the directory, or a new one.
    private func authority(_ name: String, in files: PairFiles) throws(CommandError) -> CertificateAuthority {
      if files.has(name) {
        let pair = try files.read(name)
        return try Self.making { () throws(TLSError) in try CertificateAuthority(pair) }
      }
      let made = try Self.making { () throws(TLSError) in
        try CertificateAuthority(name: "kvnode \(name) of \(Process.hostName)", days: Self.authorityDays)
      }
      try files.write(try Self.making { () throws(TLSError) in try made.pair }, name)
      try StandardOutput().write("\(directory)/\(name).pem\n")
      return made
    }

    private static func making<Result: ~Copyable>(
      _ make: () throws(TLSError) -> Result
    ) throws(CommandError) -> Result {
      try translatingError({ CommandError(.failure, "\($0)") }, make)
    }
  }
}

/// Files with certificates and keys in a directory: `name.pem` and `name.key`.
struct PairFiles {
  /// The names that are taken: of those who vouch for nodes, and for clients.
  static let (authority, clients) = ("authority", "clients")
  private static let bytesMax = 1 << 16

  let directory: String

  func makeDirectory() throws(CommandError) {
    try CommandError.naming(directory) { () throws(SystemError) in
      _ = try Directory(path: directory, making: true)
    }
  }

  /// Whether the key is there: without it the certificate is of no use.
  func has(_ name: String) -> Bool { (try? File.status(ofPath: "\(directory)/\(name).key")) != .some(nil) }

  func read(_ name: String) throws(CommandError) -> CertificateAuthority.Pair {
    CertificateAuthority.Pair(certificate: try contents("\(name).pem"), key: try contents("\(name).key"))
  }

  /// The certificate first: what is there when this breaks off is written over by the next run.
  func write(_ pair: CertificateAuthority.Pair, _ name: String) throws(CommandError) {
    try write(pair.certificate, "\(directory)/\(name).pem", isPrivate: false)
    try write(pair.key, "\(directory)/\(name).key", isPrivate: true)
  }

  private func contents(_ name: String) throws(CommandError) -> [UInt8] {
    let path = "\(directory)/\(name)"
    return try CommandError.naming(path) { () throws(SystemError) in
      try File(path: path).contents(bytesMax: Self.bytesMax)
    }
  }

  private func write(_ bytes: [UInt8], _ path: String, isPrivate: Bool) throws(CommandError) {
    try CommandError.naming(path) { () throws(SystemError) in
      let file = isPrivate ? try File(newPrivatePath: path) : try File(writingPath: path)
      try file.truncate(byteCount: 0)
      try bytes.withBytes { bytes throws(SystemError) in try file.write(bytes, at: 0) }
      try file.sync()
    }
  }
}
