import Glibc
import Testing

@testable import KVLinux

struct ProcessTests {
  @Test func knowsItsHost() throws {
    let hostName = KVLinux.Process.hostName
    var name = utsname()
    try #require(uname(&name) == 0)
    let node = withUnsafeBytes(of: name.nodename) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    #expect(hostName == node)
    #expect(!hostName.isEmpty)
    #expect(KVLinux.Process.processorCount >= 1)
  }

  @Test func raisesTheLimitOfOpenFiles() throws {
    let raised = try KVLinux.Process.raiseOpenFilesLimit()
    var limit = rlimit()
    try #require(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
    #expect(limit.rlim_cur == limit.rlim_max)
    #expect(raised == Int(clamping: limit.rlim_max))
  }
}
