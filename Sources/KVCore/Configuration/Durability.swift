/// What an acknowledged write has survived.
public enum Durability: String, Sendable, CaseIterable {
  /// The value is on stable storage and outlives a power cut.
  case full
  /// The value is in the page cache; a crash of the machine may lose it.
  case relaxed

  /// Reads `full` or `relaxed`.
  public init(parsing text: String) throws(SettingError) {
    guard let durability = Durability(rawValue: text) else { throw SettingError(expected: "full or relaxed") }
    self = durability
  }
}
