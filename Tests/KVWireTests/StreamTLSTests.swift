import KVCore
import KVLinux
import Testing
import TestSupport

@testable import KVWire

@Suite(.timeLimit(.minutes(10))) struct StreamTLSTests {
  private static let host = PeerAddress.Host.address(.v4(0x7F00_0001))

  private let certificates: Certificates

  init() throws {
    certificates = try Certificates()
    try certificates.make(
      "hosts", [("server", [Self.host, .name("server")]), ("second", [.name("second")]), ("person", [])])
    try certificates.make("people", [("client", []), ("impostor", [.name("second")])])
  }

  private func accepting() throws -> TLSContext {
    try TLSContext(
      accepting: certificates.certificate("server"), minimumVersion: .tls12,
      peerAuthoritiesFile: certificates.path("hosts.pem"), clientAuthoritiesFile: certificates.path("people.pem"))
  }

  private func connecting(as name: String?) throws -> TLSContext {
    try TLSContext(
      connectingTo: certificates.path("hosts.pem"), showing: name.map(certificates.certificate))
  }

  /// Both ends of an encrypted connection.
  private func pair(
    _ client: TLSContext, _ server: TLSContext, to host: PeerAddress.Host = host, resuming earlier: TLSResumption? = nil
  ) async throws -> (near: Handoff<KVWire.Stream>, far: Handoff<KVWire.Stream>) {
    let pair = try await Loopback.streams()
    async let far = accepted(pair.far, server)
    var near = pair.near.take()
    try await near.connectTLS(client, to: host, resuming: earlier, until: .after(.seconds(60)))
    return (Handoff(near), try await far)
  }

  private func accepted(
    _ stream: Handoff<KVWire.Stream>, _ context: TLSContext
  ) async throws -> Handoff<KVWire.Stream> {
    var stream = stream.take()
    try await stream.acceptTLS(context, until: .after(.seconds(60)), by: nil)
    return Handoff(stream)
  }

  /// What whoever shows that certificate is taken for: as a node, and as a client.
  @Test(
    arguments: [
      ("second", true, nil), ("person", false, nil), ("client", false, "client"), ("impostor", false, "impostor"),
      (nil, false, nil),
    ] as [(String?, Bool, String?)])
  func aCertificateIsWorthWhatItsAuthorityIs(_ name: String?, isNode: Bool, client: String?) async throws {
    try await onExecutor {
      let server = try accepting()
      let context = try connecting(as: name)
      var earlier: TLSResumption?
      for isResumed in [false, true] {
        let pair = try await pair(context, server, resuming: earlier)
        let far = pair.far.take()
        var near = pair.near.take()
        #expect(far.isFrom([.name("second")]) == isNode)
        #expect(far.isFrom([.name("third")]) == false)
        #expect(far.clientName == client)
        #expect(far.session?.isResumed == isResumed)
        // The ticket comes with the first bytes.
        try await far.send(Array("hello".utf8))
        #expect(try await near.fill(bytesMax: 100))
        earlier = near.resumption
        #expect(earlier != nil)
      }
    }
  }

  @Test func aSessionOfOtherSettingsIsNotTakenUpAgain() async throws {
    try await onExecutor {
      let server = try accepting()
      let first = try await pair(try connecting(as: "second"), server)
      var near = first.near.take()
      let far = first.far.take()
      try await far.send([1])
      #expect(try await near.fill(bytesMax: 100))
      let next = try await pair(try connecting(as: "second"), server, resuming: near.resumption)
      let isResumed = next.near.take().session?.isResumed
      #expect(isResumed == false)
      let afterReload = try await pair(try connecting(as: "second"), try accepting(), resuming: near.resumption)
      let isResumedAfterwards = afterReload.far.take().session?.isResumed
      #expect(isResumedAfterwards == false)
    }
  }

  @Test func aHostMustShowACertificateOfItsOwn() async throws {
    try await onExecutor {
      await #expect(throws: StreamError.self) {
        _ = try await pair(try connecting(as: nil), try accepting(), to: .name("second"))
      }
      _ = try await pair(try connecting(as: nil), try accepting(), to: .name("server"))
    }
  }

  @Test func bytesOfManyRecordsArriveAsTheyWereSent() async throws {
    try await onExecutor {
      let pair = try await pair(try connecting(as: nil), try accepting())
      var near = pair.near.take()
      let sent = Loopback.bytes(1_000_000)
      async let sending: Void = send(sent, over: pair.far)
      var received: [UInt8] = []
      while try await near.fill(bytesMax: 70_000) { received += near.takeUnread(.max) }
      try await sending
      #expect(received == sent)
    }
  }

  private func send(_ bytes: [UInt8], over stream: Handoff<KVWire.Stream>) async throws {
    let stream = stream.take()
    try await stream.send(bytes)
    stream.announceEndAtOnce()
  }

  @Test func anEndThatNobodyAnnouncesIsAFailure() async throws {
    try await onExecutor {
      let pair = try await pair(try connecting(as: nil), try accepting())
      var near = pair.near.take()
      let far = pair.far.take()
      try await far.send([7])
      try far.shutdownSending()
      #expect(try await near.fill(bytesMax: 100))
      await #expect(throws: StreamError.self) { _ = try await near.fill(bytesMax: 100) }
    }
  }

  @Test func whatBeginsWithNoHandshakeStaysAsItIs() async throws {
    try await onExecutor {
      let pair = try await Loopback.streams()
      let near = pair.near.take()
      try await near.send(Array("GET".utf8))
      var far = try await accepted(pair.far, try accepting()).take()
      #expect(far.isEncrypted == false)
      #expect(try await far.fill(bytesMax: 100))
      #expect(Array(far.unread) == Array("GET".utf8))
    }
  }
}
