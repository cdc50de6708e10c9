import CLinux
import Glibc

/// A system call that failed, with what the kernel said (errno(3)).
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The call's name, as in section 2 of the manual.
  public let call: String
  /// The value of errno right after the call.
  public let code: CInt

  /// Describes a failed call.
  public init(call: String, code: CInt) {
    self.call = call
    self.code = code
  }

  /// What the code means, in English whatever the locale.
  public var reason: String { String(cString: clinux_error_text(code)) }

  /// The call and the reason.
  public var description: String { "\(call): \(reason)" }

  /// What a call that opens something says where there is nothing of that name.
  public static func absent(call: String) -> SystemError { SystemError(call: call, code: ENOENT) }

  /// What a call that makes or renames something says where the name is taken.
  public static func nameTaken(call: String) -> SystemError { SystemError(call: call, code: EEXIST) }

  /// What flock(2) says where another process has the lock.
  public static let locked = SystemError(call: "flock", code: EWOULDBLOCK)

  /// There is nothing of that name.
  public var isAbsent: Bool { code == ENOENT }
  /// The file system has no room or the user no quota left.
  public var isDiskFull: Bool { code == ENOSPC || code == EDQUOT || code == EFBIG }
  /// The disk does not give what it holds, or the file system on it is damaged.
  public var isDiskFault: Bool { code == EIO || code == EBADMSG || code == EUCLEAN || code == ENODATA }
  /// The other side acknowledges nothing.
  public var isTimeout: Bool { code == ETIMEDOUT }
  /// The kernel has no such address family.
  public var isUnsupportedFamily: Bool { code == EAFNOSUPPORT }
  /// The file system cannot do this at all.
  public var isUnsupported: Bool { code == EOPNOTSUPP || code == ENOSYS }
}

/// What a non-blocking transfer came to.
public enum TransferResult: Equatable, Sendable {
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
