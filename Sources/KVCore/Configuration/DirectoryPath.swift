/// The path of a directory as it is written in the configuration.
enum DirectoryPath {
  /// The longest path, in bytes. PATH_MAX is 4096, and the store appends to it.
  static let bytesMax = 1024

  /// The absolute path without doubled and trailing slashes. The root, `.` and `..` are refused.
  static func parse(_ text: String) throws(SettingError) -> String {
    // By bytes, as the kernel does: a combining mark after a slash makes one character of both.
    let components = text.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
    guard text.utf8.first == UInt8(ascii: "/"), !components.isEmpty, !components.contains("."),
      !components.contains("..")
    else {
      throw SettingError(expected: "an absolute path such as /var/lib/kvnode, without . and ..")
    }
    guard text.utf8.count <= bytesMax else {
      throw SettingError(expected: "a path of at most \(bytesMax) bytes")
    }
    return "/" + components.joined(separator: "/")
  }
}
