import Glibc
import Testing

/// How often randomised tests repeat.
package enum Rounds {
  private static let wanted = getenv("KVNODE_TEST_ROUNDS").flatMap { Int(String(cString: $0)) }

  /// Whether somebody wants to see more than usual, and has time.
  package static var isSoak: Bool { wanted != nil }

  /// The usual number, or `KVNODE_TEST_ROUNDS` for soak runs.
  package static func count(_ usual: Int) -> Int { wanted ?? usual }
}

extension Trait where Self == TimeLimitTrait {
  /// Against tests that hang; they wait for sockets, so that a mistake is more likely to show as silence.
  package static var hangLimit: Self { .timeLimit(.minutes(Rounds.isSoak ? 240 : 10)) }
}
