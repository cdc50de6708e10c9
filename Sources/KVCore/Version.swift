/// What the programs of this source tree call themselves; packaging/debian/changelog has the package's version.
public enum Version {
  /// The version.
  public static let current = "0.1.0"
}
