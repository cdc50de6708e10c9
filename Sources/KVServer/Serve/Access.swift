import KVCore

/// Clients and nodes may be confined to addresses of their own, and a connection tells which it is by its request.
func checkAccess(
  _ request: Request, of client: borrowing Client, _ configuration: Configuration
) throws(ExchangeError) {
  let address = client.ipAddress
  if configuration.servesThisHostOnly {
    guard let address, address.isLoopback || address == client.localAddress else {
      throw .refused(.otherHost(client.ipAddress, request.subject))
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
  /// What another host is told by a node that nobody has set up yet.
  fileprivate static func otherHost(_ address: IPAddress?, _ subject: String) -> Failure {
    let who = address.map { "\($0) is not this host" } ?? "it is not known that the request comes from this host"
    return Failure(
      .forbidden,
      "\(subject): \(who), and no other is allowed yet: list [Peers], or set AllowedClients= or Open=yes in [Access]")
  }
}
