/// A number with its noun: `1 byte`, `2 bytes`, `0 files or directories`.
package struct Counted: CustomStringConvertible, Sendable {
  /// Number and noun.
  package let description: String

  /// Counts what has a plural of its own, or one that ends in s.
  package init(_ count: Int, _ singular: String, _ plural: String? = nil) {
    description = "\(count) \(count == 1 ? singular : plural ?? "\(singular)s")"
  }
}
