import KVCore
import KVLinux
import Logging
import Testing
import TestSupport

@testable import KVServer

@Suite struct ServerCertificateTests {
  private let certificates: Certificates
  private let settings: TLSSettings

  init() throws {
    certificates = try Certificates()
    try certificates.make("hosts", [("server", [.name("server")])])
    var settings = TLSSettings()
    settings.certificateFile = certificates.path("server.pem")
    settings.privateKeyFile = certificates.path("server.key")
    self.settings = settings
  }

  private static func quiet() -> Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

  @Test func withoutAFileNothingIsEncrypted() throws {
    let certificate = try ServerCertificate(TLSSettings(), Self.quiet())
    #expect(certificate.context == nil)
    #expect(certificate.expiresAtSeconds == nil)
    #expect(certificate.notice == nil)
  }

  @Test func aFileThatStaysIsNotReadAgain() async throws {
    let certificate = try ServerCertificate(settings, Self.quiet())
    let before = certificate.context
    await certificate.step(lateBy: .zero)
    #expect(certificate.context === before)
  }

  @Test func anotherPairIsTakenUp() async throws {
    let certificate = try ServerCertificate(settings, Self.quiet())
    let before = certificate.context
    try certificates.make("hosts", [("server", [.name("server")])])
    await certificate.step(lateBy: .zero)
    #expect(certificate.context !== before)
  }

  @Test func oneThatCannotBeUsedLeavesTheOldOneAndIsTold() async throws {
    let certificate = try ServerCertificate(settings, Self.quiet())
    let before = certificate.context
    try certificates.write(Array("nonsense".utf8), "server.pem")
    await certificate.step(lateBy: .zero)
    #expect(certificate.context === before)
    #expect(certificate.notice?.hasPrefix("the certificate cannot be read anew, and the old one stays: ") == true)
    try certificates.make("hosts", [("server", [.name("server")])])
    await certificate.step(lateBy: .zero)
    #expect(certificate.context !== before)
    // Its end is near, for the one of a test is good for a day.
    #expect(certificate.notice?.hasPrefix("the certificate expires in ") == true)
  }

  @Test func atTheStartItMustBeUsable() throws {
    var settings = settings
    settings.privateKeyFile = certificates.path("hosts.key")
    #expect(throws: TLSError.self) { _ = try ServerCertificate(settings, Self.quiet()) }
  }
}
