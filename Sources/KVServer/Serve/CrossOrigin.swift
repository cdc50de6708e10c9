import KVCore
import KVDialect
import KVHTTP

/// What browsers are told about scripts of other sites (Fetch Standard, section 3.2), and which names of this node they may
/// use. All of it is off unless `[HTTP]` says otherwise.
struct CrossOrigin {
  /// How long a browser may remember what it was told.
  private static let maxAgeSeconds = 600
  private static let exposed = "ETag, Content-Range, Accept-Ranges, Content-Encoding, Content-Disposition, Retry-After"

  private let settings: HTTPSettings
  /// Their names are known to be this cluster's.
  private let peers: [Peer]

  init(_ configuration: Configuration) { (settings, peers) = (configuration.http, configuration.peers) }

  /// The fields that a response to the request gets besides.
  func fields(for head: HTTPRequestHead) -> HTTPFields {
    guard !settings.allowedOrigins.isEmpty else { return [:] }
    guard let origin = head.fields["Origin"] else { return ["Vary": "Origin"] }
    let isAny = settings.allowedOrigins.contains("*")
    guard isAny || settings.allowedOrigins.contains(origin.lowercased()) else { return ["Vary": "Origin"] }
    var fields: HTTPFields = ["Access-Control-Allow-Origin": isAny ? "*" : origin, "Vary": "Origin"]
    fields.append("Access-Control-Expose-Headers", Self.exposed)
    guard head.method == "OPTIONS", head.fields.contains("Access-Control-Request-Method") else { return fields }
    fields.append("Access-Control-Allow-Methods", HTTPDialect.methods)
    let wanted = head.fields.all("Access-Control-Request-Headers").filter { !$0.isEmpty }.joined(separator: ", ")
    if !wanted.isEmpty { fields.append("Access-Control-Allow-Headers", wanted) }
    fields.append("Access-Control-Max-Age", "\(Self.maxAgeSeconds)")
    return fields
  }

  /// Refuses a request that was sent to a name which is not this node's: a site may give its own name this node's address,
  /// and its scripts then pass for ones of the node's. An address cannot be given away so.
  func checkHost(_ head: HTTPRequestHead) throws(Failure) {
    guard !settings.allowedHosts.isEmpty, let host = head.fields["Host"] else { return }
    let name = Self.name(of: host)
    if Self.isNobodys(host) { return }
    let isPeer = peers.contains { peer in
      if case .name(let peerName) = peer.address.host { peerName.lowercased() == name } else { false }
    }
    guard !settings.allowedHosts.contains(name), !isPeer else { return }
    let quoted = HTTPSyntaxError.quote(Array(host.utf8).span)
    throw Failure(.forbidden, "the host \(quoted) is not one of this node's (AllowedHosts=)")
  }

  /// Whether it is an address, or localhost: no site can have that for its name.
  static func isNobodys(_ host: String) -> Bool {
    let name = name(of: host)
    return IPAddress(name[...]) != nil || name == "localhost"
  }

  /// The host without its port, in lower case, without the brackets of an IPv6 address or the dot at the end of a name.
  private static func name(of host: String) -> String {
    if host.hasPrefix("["), let end = host.firstIndex(of: "]") { return String(host[..<end].dropFirst()) }
    let name = host.prefix { $0 != ":" }.lowercased()
    return name.hasSuffix(".") ? String(name.dropLast()) : name
  }
}
