import KVLinux

/// Why a data directory cannot be served. Each is one line for whoever starts the node.
public enum StoreOpenError: Error, Sendable, CustomStringConvertible {
  case unusable(path: String, SystemError)
  case inUse(path: String)
  case beingRepaired(path: String)
  case noStore(path: String)
  case unknownFormat(path: String, found: String, expected: String)
  case withoutAttributes(path: String)

  /// One line that names the directory.
  public var description: String {
    switch self {
    case .unusable(let path, let error): "data directory \(path): \(error)"
    case .inUse(let path): "data directory \(path): another kvnode is using it"
    case .beingRepaired(let path): "data directory \(path): another check is repairing it"
    case .noStore(let path): "data directory \(path): holds no store of kvnode's: it has no file 'format'"
    case .unknownFormat(let path, let found, let expected):
      "data directory \(path): its file 'format' says '\(found)', expected '\(expected)'"
    case .withoutAttributes(let path):
      "data directory \(path): its file system has no user extended attributes (xattr(7)), which kvnode needs"
    }
  }
}
