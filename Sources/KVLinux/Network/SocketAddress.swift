import CLinux
import Glibc
import KVCore

/// An IPv4 or IPv6 address with a port, as the kernel takes it (ip(7), ipv6(7)).
package struct SocketAddress: Sendable, CustomStringConvertible {
  var storage: sockaddr_storage
  let byteCount: socklen_t

  var family: CInt { CInt(storage.ss_family) }

  init(storage: sockaddr_storage, byteCount: socklen_t) {
    self.storage = storage
    self.byteCount = byteCount
  }

  /// The address of a `Listen=`.
  package init(_ address: ListenAddress) {
    switch address {
    case .port(let port): self.init(.v6(0), port: port)
    case .address(let address, let port): self.init(address, port: port)
    }
  }

  /// An address with a port.
  package init(_ address: IPAddress, port: UInt16) {
    switch address {
    case .v4(let bits):
      var storage = sockaddr_in()
      storage.sin_family = sa_family_t(AF_INET)
      storage.sin_port = port.bigEndian
      storage.sin_addr.s_addr = bits.bigEndian
      self.init(copying: &storage, byteCount: MemoryLayout<sockaddr_in>.size)
    case .v6(let bits):
      var storage = sockaddr_in6()
      storage.sin6_family = sa_family_t(AF_INET6)
      storage.sin6_port = port.bigEndian
      withUnsafeMutableBytes(of: &storage.sin6_addr) { $0.storeBytes(of: bits.bigEndian, as: UInt128.self) }
      self.init(copying: &storage, byteCount: MemoryLayout<sockaddr_in6>.size)
    }
  }

  /// The address without its port; IPv4 that came in over IPv6 is IPv4. Nil for another family.
  package var address: IPAddress? {
    withUnsafeBytes(of: storage) { bytes in
      switch family {
      case AF_INET: return .v4(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
      case AF_INET6:
        let bits = UInt128(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt128.self))
        return bits >> 32 == 0xffff ? .v4(UInt32(truncatingIfNeeded: bits)) : .v6(bits)
      default: return nil
      }
    }
  }

  /// The addresses a host name or a literal address stands for (getaddrinfo(3)). May block on DNS.
  package static func resolve(host: String, port: UInt16) throws(ResolveError) -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = CInt(CLINUX_STREAM)
    hints.ai_flags = AI_NUMERICSERV
    var first: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &first)
    defer { if let first { freeaddrinfo(first) } }
    guard code == 0 else { throw ResolveError(host: host, reason: String(cString: gai_strerror(code))) }
    var addresses: [SocketAddress] = []
    var next = first
    while let entry = next {
      next = entry.pointee.ai_next
      guard let address = entry.pointee.ai_addr else { continue }
      addresses.append(SocketAddress(copying: address, byteCount: Int(entry.pointee.ai_addrlen)))
    }
    return addresses
  }

  private init(copying address: UnsafeRawPointer, byteCount: Int) {
    storage = sockaddr_storage()
    withUnsafeMutableBytes(of: &storage) { storage in
      storage.copyMemory(from: UnsafeRawBufferPointer(start: address, count: min(byteCount, storage.count)))
    }
    self.byteCount = socklen_t(byteCount)
  }

  func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafePointer(to: storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, byteCount) }
    }
  }

  /// `192.0.2.1:7776` or `[2001:db8::1]:7776`; an IPv4 address that came in over IPv6 is written as IPv4.
  package var description: String {
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    var service = [CChar](repeating: 0, count: Int(NI_MAXSERV))
    let code = withPointer { pointer, byteCount in
      getnameinfo(
        pointer, byteCount, &host, socklen_t(host.count), &service, socklen_t(service.count),
        NI_NUMERICHOST | NI_NUMERICSERV)
    }
    guard code == 0 else { return "unknown address" }
    let name = Self.text(host)
    let mappedPrefix = "::ffff:"
    if name.hasPrefix(mappedPrefix) && name.contains(".") {
      return "\(name.dropFirst(mappedPrefix.count)):\(Self.text(service))"
    }
    return name.contains(":") ? "[\(name)]:\(Self.text(service))" : "\(name):\(Self.text(service))"
  }

  private static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// A host name that stands for no address.
package struct ResolveError: Error, Sendable, CustomStringConvertible {
  /// The name that was looked up.
  package let host: String
  /// What the resolver said.
  package let reason: String

  /// Says why a name stands for nothing.
  package init(host: String, reason: String) {
    self.host = host
    self.reason = reason
  }

  /// One line that names the host.
  package var description: String { "cannot resolve '\(host)': \(reason)" }
}
