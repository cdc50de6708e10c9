import Glibc
import Testing

@testable import KVLinux

struct SystemErrorTests {
  @Test(arguments: [
    (ENOENT, "No such file or directory"), (EACCES, "Permission denied"), (ENOSPC, "No space left on device"),
    (ECONNREFUSED, "Connection refused"), (EADDRINUSE, "Address already in use"), (9999, "Unknown error"),
  ])
  func saysWhatTheCodeMeans(code: CInt, reason: String) {
    let error = SystemError(call: "openat", code: code)
    #expect(error.reason == reason)
    #expect("\(error)" == "openat: \(reason)")
  }

  @Test(arguments: [
    (ENOENT, "absent"), (ENOSPC, "full"), (EDQUOT, "full"), (EFBIG, "full"), (EOPNOTSUPP, "unsupported"),
    (ENOSYS, "unsupported"), (EMFILE, ""), (EAFNOSUPPORT, "family"), (EIO, ""), (EACCES, ""),
  ])
  func fallsIntoOneClass(code: CInt, kind: String) {
    let error = SystemError(call: "call", code: code)
    #expect(error.isAbsent == (kind == "absent"))
    #expect(error.isDiskFull == (kind == "full"))
    #expect(error.isUnsupported == (kind == "unsupported"))
    #expect(error.isUnsupportedFamily == (kind == "family"))
  }

  @Test(arguments: [
    (EACCES, true), (EPERM, true), (EROFS, true), (ENOTDIR, true), (ELOOP, true), (ENAMETOOLONG, true),
    (ENOENT, false), (EIO, false), (ENOSPC, false), (EMFILE, false), (EADDRINUSE, false), (EADDRNOTAVAIL, false),
  ])
  func tellsWhatOnlyAHandCanMend(code: CInt, isForAdministrator: Bool) {
    #expect(SystemError(call: "call", code: code).isForAdministrator == isForAdministrator)
  }

  @Test func repeatsWhatASignalInterrupted() throws {
    var attempts = 0
    let result = try systemCall("call") { () -> CInt in
      attempts += 1
      errno = EINTR
      return attempts < 3 ? -1 : 7
    }
    #expect(result == 7)
    #expect(attempts == 3)
  }

  @Test func throwsTheCodeAtOnce() {
    var attempts = 0
    #expect(throws: SystemError(call: "call", code: EIO)) {
      try systemCall("call") { () -> CInt in
        attempts += 1
        errno = EIO
        return -1
      }
    }
    #expect(attempts == 1)
  }

  @Test func transfersThatWouldBlockOrEndAreNoErrors() throws {
    #expect(try transferCall("recv") { 5 } == .moved(5))
    #expect(try transferCall("recv") { 0 } == .end)
    let blocked = try transferCall("recv") {
      errno = EAGAIN
      return -1
    }
    #expect(blocked == .wouldBlock)
    #expect(throws: SystemError(call: "recv", code: ECONNRESET)) {
      try transferCall("recv") {
        errno = ECONNRESET
        return -1
      }
    }
  }
}
