import KVCluster
import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVWire
import Synchronization

/// Who asks, as far as the request says it. It waits with each request, so it is small.
indirect enum Caller: Sendable {
  /// Nobody in particular.
  case nobody
  case holder(of: Token)
  /// Somebody who shows what nobody was given, and why that is so.
  case unknown(reason: String)

  /// The name for log lines, where there is one.
  var name: String? { if case .holder(let token) = self { token.name } else { nil } }
}

/// Decides who may ask what: by address, and where it depends on who asks, by token.
final class AccessControl: Sendable {
  private let failedCallers = Mutex(FailedCallers())

  /// Who asks. Where tokens are not spoken of, nobody looks at them.
  func caller(_ client: borrowing Client, _ access: Access) -> Caller {
    guard access.tokensFile != nil else { return .nobody }
    return Self.caller(client.shown?.credential ?? .none, certifiedAs: client.stream.clientName, access)
  }

  /// Who shows that. What a request says itself counts for more than the connection's certificate.
  private static func caller(_ credential: Credential, certifiedAs name: String?, _ access: Access) -> Caller {
    switch credential {
    case .none:
      guard let token = name.flatMap(access.tokens.token(named:)) else { return .nobody }
      return holder(of: token)
    case .unusable(let reason): return .unknown(reason: reason)
    case .token(let text, let name):
      guard let token = access.tokens.token(digest: SHA256.digest(Array(text.utf8))) else {
        return .unknown(reason: "the token is not known here")
      }
      if let name, name != token.name { return .unknown(reason: "the token has another name") }
      return holder(of: token)
    }
  }

  private static func holder(of token: Token) -> Caller {
    guard let day = token.until, day.isOver(at: HTTPDate(nanosecondsSince1970: Instant.wallNanoseconds)) else {
      return .holder(of: token)
    }
    return .unknown(reason: "the token \(token.name) was good until \(day)")
  }

  /// Why a request that says it is a node's is refused; nil where it is believed. Nodes need no token, so it must be known who
  /// is one, by a certificate, by the cluster's secret or at least by address.
  func doubt(
    about mark: RelayMark, _ request: Request, at client: borrowing Client, _ cluster: Cluster
  ) -> Failure? {
    let configuration = cluster.configuration
    if let failure = refusalOfAddress(request, client, configuration) { return failure }
    if configuration.tls.required == .all, !client.stream.isEncrypted { return .notEncrypted(request.subject) }
    let reason =
      Self.lackOfCertificate(mark, client.stream, cluster)
      ?? Self.lackOfSecret(mark, request, client.shown?.signature, configuration)
    return reason.map { Failure(.forbidden, "\(request.subject): \($0)") }
  }

  /// Why the connection does not count as a node's; nil where it does, or need not.
  private static func lackOfCertificate(
    _ mark: RelayMark, _ stream: borrowing Stream, _ cluster: Cluster
  ) -> String? {
    guard cluster.configuration.tls.betweenNodes == .required else { return nil }
    let isIt: (Peer) -> Bool = { $0.name == mark.node }
    let peer = cluster.configuration.peers.first(where: isIt) ?? cluster.topology.others.first(where: isIt)
    if let peer, stream.isFrom([peer.address.host, .name(peer.name.lowercased())]) { return nil }
    return "\(mark.node) shows no certificate of its own (Peers= in [TLS])"
  }

  /// Why a request does not count as a node's; nil where it does.
  private static func lackOfSecret(
    _ mark: RelayMark, _ request: Request, _ signature: PeerSignature?, _ configuration: Configuration
  ) -> String? {
    let access = configuration.access
    let isKnownOtherwise =
      !access.allowedPeers.isEmpty || !access.isGuarded || configuration.tls.betweenNodes == .required
    guard let secret = configuration.cluster.secret else {
      return isKnownOtherwise ? nil : "nothing says that \(mark.node) is a node (Secret=, AllowedPeers=)"
    }
    let isShown =
      signature.map { secret.recognises($0.code, of: $0.text(for: configuration.nodeName)) }
      ?? (secret.acceptsUnsigned && isKnownOtherwise)
    guard isShown else {
      return "\(mark.node) does not show that it knows the secret of \(configuration.nodeName) (Secret=)"
    }
    // Whoever may come unsigned has nothing to sign.
    guard let signature else { return nil }
    if case .message = request, signature.bodyDigest == nil { return "\(mark.node) does not sign what it says" }
    return nil
  }

  /// Refuses what a client may not ask. Whoever shows wrong tokens again and again waits for each answer.
  func check(
    _ request: Request, from caller: Caller, at client: borrowing Client, _ configuration: Configuration
  ) async throws(ExchangeError) {
    if let failure = refusalOfAddress(request, client, configuration) { throw .refused(failure) }
    let access = configuration.access
    guard access.isGuarded || configuration.tls.required != .no, let need = request.need else { return }
    if configuration.tls.required != .no, !client.stream.isEncrypted { throw .refused(.notEncrypted(request.subject)) }
    if case .unknown(let reason) = caller {
      await holdBack(client.ipAddress)
      throw .refused(Failure(.unauthorized, "\(request.subject): \(reason)"))
    }
    let anonymous = access.anonymousGrants(isOwnHost: client.isOnOwnHost)
    if let failure = Self.refusal(of: need, request.subject, caller, anonymous, access) { throw .refused(failure) }
  }

  /// Why the admin port does not answer what takes that; nil where it does.
  func refusal(
    ofAdmin need: Need?, _ subject: String, _ credential: Credential, over stream: borrowing Stream,
    isOwnHost: Bool, _ configuration: Configuration
  ) async -> Failure? {
    let access = configuration.access
    guard let need else { return nil }
    // What does not leave the host need not be encrypted.
    if configuration.tls.required == .all, !stream.isEncrypted, !isOwnHost { return .notEncrypted(subject) }
    guard access.adminTakesTokens else { return nil }
    let caller = Self.caller(credential, certifiedAs: stream.clientName, access)
    if case .unknown(let reason) = caller {
      await holdBack(stream.peer?.address)
      return Failure(.unauthorized, "\(subject): \(reason)")
    }
    return Self.refusal(of: need, subject, caller, access.anonymous ?? .none, access)
  }

  /// Why the caller is not allowed what he asks, or nil where he is. It says nothing of what there is under a key.
  private static func refusal(
    of need: Need, _ subject: String, _ caller: Caller, _ anonymous: Grants, _ access: Access
  ) -> Failure? {
    if case .holder(let token) = caller {
      // Whatever everybody may do needs no permission of its own.
      if token.grants.permit(need) || access.anonymous?.permit(need) == true { return nil }
      return Failure(.forbidden, "\(subject): the token \(token.name) lacks \(need.permission) permission")
    }
    if anonymous.permit(need) { return nil }
    guard access.tokensFile != nil else {
      return Failure(
        .forbidden, "\(subject): nobody has \(need.permission) permission (Anonymous=)")
    }
    return Failure(
      .unauthorized,
      "\(subject): a token is needed (Authorization: Bearer, or a line AUTH and the token before the request)")
  }

  private func holdBack(_ address: IPAddress?) async {
    let pause = failedCallers.withLock { $0.failed(address, at: .now) }
    if pause > .zero { _ = await IOExecutor.current.wait(until: .after(pause), interruptible: true) }
  }
}

/// Clients and nodes may be confined to addresses of their own, and a connection tells which it is by its request.
private func refusalOfAddress(
  _ request: Request, _ client: borrowing Client, _ configuration: Configuration
) -> Failure? {
  if configuration.servesThisHostOnly {
    return client.isOnOwnHost
      ? nil : .otherHost(client.ipAddress, request.subject, node: configuration.nodeName)
  }
  let access = configuration.access
  guard !access.isUnrestricted, let address = client.ipAddress else { return nil }
  let isPeer = request.relayed != nil
  guard isPeer ? !access.permitsPeer(at: address) : !access.permitsClient(at: address) else { return nil }
  let setting = isPeer ? "AllowedPeers" : "AllowedClients"
  return Failure(.forbidden, "\(request.subject): \(address) is not allowed (\(setting)=)")
}

extension Client {
  /// Whether the other end is on this node's own host.
  fileprivate var isOnOwnHost: Bool { ipAddress.map { $0.isLoopback || $0 == localAddress } ?? false }
}

extension Failure {
  fileprivate static func notEncrypted(_ subject: String) -> Failure {
    Failure(.forbidden, "\(subject): the connection must be encrypted (Required= in [TLS])")
  }

  /// What another host is told by a node that nobody has set up yet. It names the node, for the answer may come through
  /// another one, whose reader would take "this host" for that.
  fileprivate static func otherHost(_ address: IPAddress?, _ subject: String, node: String) -> Failure {
    let who = address.map { "\($0) is not \(node)'s own host" } ?? "it is not known that \(node)'s own host asks"
    let remedy = "on \(node) list [Peers], or set AllowedClients=, Tokens= or Open=yes in [Access]"
    return Failure(.forbidden, "\(subject): \(who), and no other is allowed yet: \(remedy)")
  }
}
