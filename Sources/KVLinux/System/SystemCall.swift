import CLMDB
import CLinux
import Glibc

/// A system call that failed, with what the kernel said (errno(3)).
package struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The call's name, as in section 2 of the manual.
  package let call: String
  /// The value of errno right after the call, or a negative one of LMDB's own.
  package let code: CInt

  /// Describes a failed call.
  package init(call: String, code: CInt) {
    self.call = call
    self.code = code
  }

  /// What the code means, in English whatever the locale.
  package var reason: String {
    if code < 0, let text = mdb_strerror(code) { return String(cString: text) }
    return String(cString: clinux_error_text(code))
  }

  /// The call and the reason.
  package var description: String { "\(call): \(reason)" }

  /// What a call that opens something says where there is nothing of that name.
  package static func absent(call: String) -> SystemError { SystemError(call: call, code: ENOENT) }

  /// What a call that makes or renames something says where the name is taken.
  package static func nameTaken(call: String) -> SystemError { SystemError(call: call, code: EEXIST) }

  /// What flock(2) says where another process has the lock.
  package static let locked = SystemError(call: "flock", code: EWOULDBLOCK)

  /// There is nothing of that name.
  package var isAbsent: Bool { code == ENOENT }
  /// The file system has no room or the user no quota left.
  package var isDiskFull: Bool { code == ENOSPC || code == EDQUOT || code == EFBIG }
  /// The disk does not give what it holds, or the file system on it is damaged.
  package var isDiskFault: Bool { code == EIO || code == EBADMSG || code == EUCLEAN || code == ENODATA }
  /// The other side acknowledges nothing.
  package var isTimeout: Bool { code == ETIMEDOUT }
  /// The kernel has no such address family.
  package var isUnsupportedFamily: Bool { code == EAFNOSUPPORT }
  /// Nothing but a hand makes the call succeed: a path, its rights or its file system are not as they must be.
  package var isForAdministrator: Bool {
    [EACCES, EPERM, EROFS, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG].contains(code)
  }
  /// The file system cannot do this at all.
  package var isUnsupported: Bool { code == EOPNOTSUPP || code == ENOSYS }
}

/// What a non-blocking transfer came to.
package enum TransferResult: Equatable, Sendable {
  /// So many bytes were moved, at least one.
  case moved(Int)
  /// The other side has closed its half: no byte will follow.
  case end
  /// Nothing can be moved before the descriptor is ready again.
  case wouldBlock
}

/// The one way to the kernel: retries what a signal interrupted, and takes errno before anything can change it.
@inline(__always)
func systemCall<Result: SignedInteger>(_ name: String, _ call: () -> Result) throws(SystemError) -> Result {
  while true {
    let result = call()
    if result >= 0 { return result }
    let code = errno
    if code != EINTR { throw SystemError(call: name, code: code) }
  }
}

/// `systemCall` for reads and writes on descriptors that never block.
@inline(__always)
func transferCall(_ name: String, _ call: () -> Int) throws(SystemError) -> TransferResult {
  do throws(SystemError) {
    let count = try systemCall(name, call)
    return count > 0 ? .moved(count) : .end
  } catch  where error.code == EAGAIN {
    return .wouldBlock
  }
}

/// The one owner of an open file descriptor: it closes the descriptor, exactly once, when it goes away.
///
/// Every descriptor of the process is close-on-exec from birth.
package struct FileDescriptor: ~Copyable, Sendable {
  /// The number, for system calls while the owner lives.
  let number: CInt

  /// Becomes the owner of an open descriptor.
  package init(owning number: CInt) {
    precondition(number >= 0, "a descriptor's number is never negative")
    self.number = number
  }

  deinit {
    // close(2) frees the number even when it reports an error, so that there is nothing to retry; a file
    // whose bytes matter has been synced before.
    close(number)
  }

  /// The number, for messages and /proc.
  package var description: String { "fd \(number)" }
}
