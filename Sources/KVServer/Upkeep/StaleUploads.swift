import KVLinux
import KVStore

/// Throws away the bytes of uploads that nobody has decided about and nobody will: whoever brought them is gone.
struct StaleUploads: Worker {
  /// A round takes no longer, however often it begins anew.
  private static let ageMaxSeconds: Int64 = 15 * 60

  let store: Store
  let pace = Duration.seconds(60)

  mutating func step(lateBy _: Duration) async {
    // What cannot be removed now is tried again; the store's health tells of a disk that fails.
    _ = try? store.removeUploads(untouchedForSeconds: Self.ageMaxSeconds)
  }
}
