import Glibc
import Testing
import TestSupport

@testable import KVLinux

@Suite struct DescriptorTests {
  private func isCloseOnExec(_ descriptor: borrowing FileDescriptor) -> Bool {
    fcntl(descriptor.number, F_GETFD) & FD_CLOEXEC != 0
  }

  @Test func closesWhenItGoesAway() throws {
    var ends: [CInt] = [-1, -1]
    try #require(pipe(&ends) == 0)
    let readEnd = FileDescriptor(owning: ends[0])
    var byte: UInt8 = 0
    useUp(FileDescriptor(owning: ends[1]))
    // With every writer gone, a read does not block and finds the end.
    #expect(read(readEnd.number, &byte, 1) == 0)
  }

  private func useUp(_ descriptor: consuming FileDescriptor) {
    #expect(descriptor.description == "fd \(descriptor.number)")
  }

  @Test func allAreCloseOnExec() async throws {
    let temporary = try TemporaryDirectory()
    let directory = try Directory(path: temporary.path)
    let file = try directory.createFile("file")
    #expect(isCloseOnExec(directory.descriptor) == true)
    #expect(isCloseOnExec(file.descriptor) == true)
    try await onExecutor {
      let (near, far) = try await Loopback.pair()
      let client = near.take()
      let accepted = far.take()
      let listener = try Loopback.listener()
      #expect(isCloseOnExec(client.descriptor) == true)
      #expect(isCloseOnExec(accepted.descriptor) == true)
      #expect(isCloseOnExec(listener.descriptor) == true)
    }
  }

  @Test func trapsOnANumberThatIsNone() async {
    await #expect(processExitsWith: .failure) { _ = FileDescriptor(owning: -1) }
  }
}
