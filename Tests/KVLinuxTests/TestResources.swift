import Foundation

/// The files that the package's manifest names as this target's resources.
enum TestResources {
  static func path(_ name: String) -> String { "\(Bundle.module.resourcePath ?? "")/\(name)" }
}
