/// Where to listen, written as for `ListenStream=` in systemd.socket(5): `7776`, `127.0.0.1:7776`, `[::1]:7776`.
public enum ListenAddress: Sendable, Hashable, CustomStringConvertible {
  /// This port on every address of both families.
  case port(UInt16)
  /// This port on one address.
  case address(IPAddress, port: UInt16)

  /// Reads a port, or an address and a port; a port is 1 to 65535.
  public init(parsing text: String) throws(SettingError) {
    if let port = HostAndPort.portNumber(text[...]) {
      self = .port(port)
    } else if let parts = HostAndPort(text), let address = parts.address,
      let port = parts.port.flatMap(HostAndPort.portNumber)
    {
      self = .address(address, port: port)
    } else {
      throw SettingError(expected: "a port such as 7776, or an address and a port such as 127.0.0.1:7776 or [::1]:7776")
    }
  }

  /// The TCP port. 0, which only code can ask for, lets the kernel choose one.
  public var port: UInt16 {
    switch self {
    case .port(let port), .address(_, let port): port
    }
  }

  /// The text that reads back as this address.
  public var description: String {
    switch self {
    case .port(let port): "\(port)"
    case .address(.v4(let value), let port): "\(IPAddress.v4(value)):\(port)"
    case .address(.v6(let value), let port): "[\(IPAddress.v6(value))]:\(port)"
    }
  }

  /// Whether two listening sockets at these addresses would get in each other's way.
  func overlaps(_ other: ListenAddress) -> Bool {
    guard port == other.port else { return false }
    switch (self, other) {
    case (.port, _), (_, .port): return true
    case (.address(let mine, _), .address(let theirs, _)): return mine == theirs
    }
  }
}
