import KVCore

/// Clients and nodes may be confined to addresses of their own, and a connection tells which it is by its request.
func checkAccess(
  _ request: Request, of client: borrowing Client, _ configuration: Configuration
) throws(ExchangeError) {
  let address = client.ipAddress
  if configuration.servesThisHostOnly {
    guard let address, address.isLoopback || address == client.localAddress else {
      throw .refused(.otherHost(client.ipAddress, request.subject, node: configuration.nodeName))
    }
    return
  }
  let access = configuration.access
  guard !access.isUnrestricted, let address else { return }
  let isPeer = request.relayed != nil
  guard isPeer ? !access.permitsPeer(at: address) : !access.permitsClient(at: address) else { return }
  let setting = isPeer ? "AllowedPeers" : "AllowedClients"
  throw .refused(Failure(.forbidden, "\(request.subject): \(address) is not allowed (\(setting)=)"))
}

extension Failure {
  /// What another host is told by a node that nobody has set up yet. It names the node, for the answer may come through
  /// another one, whose reader would take "this host" for that.
  fileprivate static func otherHost(_ address: IPAddress?, _ subject: String, node: String) -> Failure {
    let who = address.map { "\($0) is not \(node)'s own host" } ?? "it is not known that \(node)'s own host asks"
    let remedy = "on \(node) list [Peers], or set AllowedClients= or Open=yes in [Access]"
    return Failure(.forbidden, "\(subject): \(who), and no other is allowed yet: \(remedy)")
  }
}
