/// Where a peer is reached: `192.0.2.12:7776`, `[2001:db8::12]:7776`, `node2.example.org:7776`.
public struct PeerAddress: Sendable, Hashable, CustomStringConvertible {
  /// An address, or a name to look up.
  public enum Host: Sendable, Hashable, CustomStringConvertible {
    case address(IPAddress)
    /// A DNS name in lower case, as RFC 1123, section 2.1, allows it, and with underscores.
    case name(String)

    /// The address or name without brackets, as getaddrinfo(3) takes it.
    public var description: String {
      switch self {
      case .address(let address): address.description
      case .name(let name): name
      }
    }
  }

  /// The port of a peer whose address states none.
  public static let portDefault: UInt16 = 7776

  /// Where to connect to.
  public let host: Host
  /// The TCP port.
  public let port: UInt16

  /// The address made of its parts.
  public init(host: Host, port: UInt16 = portDefault) {
    self.host = host
    self.port = port
  }

  /// Reads a host and an optional port; an IPv6 address stands in brackets.
  public init(parsing text: String) throws(SettingError) {
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
  public var description: String {
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
