import KVCore

/// Clients and nodes may be confined to addresses of their own, and a connection tells which it is by its request.
func checkAccess(
  _ request: Request, from address: IPAddress?, _ access: Access
) throws(ExchangeError) {
  guard !access.isOpen, let address else { return }
  let isPeer = request.relayed != nil
  guard isPeer ? !access.permitsPeer(at: address) : !access.permitsClient(at: address) else { return }
  let setting = isPeer ? "AllowedPeers" : "AllowedClients"
  throw .refused(Failure(.forbidden, "\(request.subject): \(address) is not allowed (\(setting)=)"))
}
