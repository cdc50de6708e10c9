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
