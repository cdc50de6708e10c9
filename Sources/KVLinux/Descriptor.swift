import CLinux
import Glibc

/// The one owner of an open file descriptor: it closes the descriptor, exactly once, when it goes away.
///
/// Every descriptor of the process is close-on-exec from birth.
public struct Descriptor: ~Copyable, Sendable {
  /// The number, for system calls while the owner lives.
  let number: CInt

  /// Becomes the owner of an open descriptor.
  public init(owning number: CInt) {
    precondition(number >= 0, "a descriptor's number is never negative")
    self.number = number
  }

  deinit {
    // close(2) frees the number even when it reports an error, so that there is nothing to retry; a file
    // whose bytes matter has been synced before.
    close(number)
  }

  /// The number, for messages and /proc.
  public var description: String { "fd \(number)" }
}
