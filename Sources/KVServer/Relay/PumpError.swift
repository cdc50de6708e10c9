import KVCore
import KVLinux

/// Why a pump stopped. The cases divide by which end it was.
enum PumpError: Error {
  case source(StreamError)
  /// The source ended before its body did.
  case sourceBrokeOff
  case sourceMalformed(HTTPSyntaxError)
  case sink(StreamError)
  /// The value is not what was stated or is allowed.
  case refused(Failure)
}
