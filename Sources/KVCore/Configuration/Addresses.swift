import KVHTTP

/// The pieces of `host`, `host:port`, `[host]` and `[host]:port`, not yet looked at.
struct HostAndPort {
  /// The text before the port, without brackets.
  let host: Substring
  /// Whether the host stood in brackets, as an IPv6 address must.
  let isBracketed: Bool
  /// The text after the colon; `nil` where there is no colon.
  let port: Substring?

  /// Splits the text; `nil` where it has none of the four forms.
  init?(_ text: String) {
    guard text.hasPrefix("[") else {
      let parts = text.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count <= 2 else { return nil }
      (host, isBracketed, port) = (parts[0], false, parts.count == 2 ? parts[1] : nil)
      return
    }
    guard let end = text.firstIndex(of: "]") else { return nil }
    let rest = text[end...].dropFirst()
    guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
    (host, isBracketed) = (text[..<end].dropFirst(), true)
    port = rest.isEmpty ? nil : rest.dropFirst()
  }

  /// The host as an address: IPv6 only in brackets, IPv4 only without.
  var address: IPAddress? {
    switch IPAddress(host) {
    case .v4(let value) where !isBracketed: .v4(value)
    case .v6(let value) where isBracketed: .v6(value)
    default: nil
    }
  }

  /// The TCP port written by this text, 1 to 65535; `nil` for any other text.
  static func portNumber(_ text: Substring) -> UInt16? {
    guard !text.hasPrefix("0") else { return nil }
    return UInt16(decimalDigits: text)
  }
}

/// Where to listen, written as for `ListenStream=` in systemd.socket(5): `7776`, `127.0.0.1:7776`, `[::1]:7776`.
package enum ListenAddress: Sendable, Hashable, CustomStringConvertible {
  /// This port on every address of both families.
  case port(UInt16)
  /// This port on one address.
  case address(IPAddress, port: UInt16)

  /// Reads a port, or an address and a port; a port is 1 to 65535.
  package init(parsing text: String) throws(SettingError) {
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
  package var port: UInt16 {
    switch self {
    case .port(let port), .address(_, let port): port
    }
  }

  /// The text that reads back as this address.
  package var description: String {
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

/// Where a peer is reached: `192.0.2.12:7776`, `[2001:db8::12]:7776`, `node2.example.org:7776`.
package struct PeerAddress: Sendable, Hashable, CustomStringConvertible {
  /// An address, or a name to look up.
  package enum Host: Sendable, Hashable, CustomStringConvertible {
    case address(IPAddress)
    /// A DNS name in lower case, as RFC 1123, section 2.1, allows it, and with underscores.
    case name(String)

    /// The address or name without brackets, as getaddrinfo(3) takes it.
    package var description: String {
      switch self {
      case .address(let address): address.description
      case .name(let name): name
      }
    }
  }

  /// The port of a peer whose address states none.
  package static let portDefault: UInt16 = 7776

  /// Where to connect to.
  package let host: Host
  /// The TCP port.
  package let port: UInt16

  /// The address made of its parts.
  package init(host: Host, port: UInt16 = portDefault) {
    self.host = host
    self.port = port
  }

  /// Reads a host and an optional port; an IPv6 address stands in brackets.
  package init(parsing text: String) throws(SettingError) {
    let expected = SettingError(
      expected: "an address such as 192.0.2.12:7776, [2001:db8::12]:7776 or node2.example.org:7776")
    guard let parts = HostAndPort(text),
      let port = parts.port.map(HostAndPort.portNumber) ?? Self.portDefault
    else { throw expected }
    if let address = parts.address {
      guard !address.isUnspecified else {
        throw SettingError(expected: "an address that the other nodes can connect to, not \(address)")
      }
      self.init(host: .address(address), port: port)
    } else if !parts.isBracketed, Self.isName(parts.host) {
      self.init(host: .name(parts.host.lowercased()), port: port)
    } else {
      throw expected
    }
  }

  /// The text that reads back as this address; it always states the port.
  package var description: String {
    switch host {
    case .address(.v6): "[\(host)]:\(port)"
    case .address(.v4), .name: "\(host):\(port)"
    }
  }

  private static func isName(_ text: Substring) -> Bool {
    let relative = text.hasSuffix(".") ? text.dropLast() : text
    guard relative.utf8.count <= 253 else { return false }
    let labels = relative.split(separator: ".", omittingEmptySubsequences: false)
    guard labels.allSatisfy(isLabel), let last = labels.last else { return false }
    // getaddrinfo(3) takes 192.0.2 and 0x7f000001 for addresses; here they are mistyped ones.
    let isNumber = last.utf8.allSatisfy(\.isASCIIDigit) || last.lowercased().hasPrefix("0x")
    return !isNumber
  }

  private static func isLabel(_ label: Substring) -> Bool {
    (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
      && label.utf8.allSatisfy {
        $0.isASCIILetter || $0.isASCIIDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
      }
  }
}
