import KVHTTP

/// What somebody may be allowed to do.
package enum Permission: String, Sendable, CaseIterable {
  /// GET and HEAD.
  case read
  /// PUT, whether there is a value already or not.
  case write
  /// DELETE, and DEL.
  case delete
  /// To learn which keys there are.
  case list
  /// What nodes tell of themselves and of the layout.
  case status

  /// Whether it is about keys, and may be confined to some of them.
  var isAboutKeys: Bool { self != .status }
}

/// What a request takes: a permission for a key, or for all keys that begin with a prefix.
package struct Need: Equatable, Sendable {
  /// What is to be done.
  package let permission: Permission
  /// The key, or how the keys begin; empty where it is about no key or about all.
  package let keys: [UInt8]

  /// By default it is about no key, or about all.
  package init(_ permission: Permission, keys: [UInt8] = []) { (self.permission, self.keys) = (permission, keys) }
}

extension Request {
  /// What it takes; nil where anybody may ask it, as whoever chooses among nodes does, and for what only nodes ask.
  package var need: Need? {
    switch self {
    case .value(let request): Need(request.operation.permission, keys: request.key.bytes)
    case .list(let request): Need(.list, keys: request.prefix)
    case .node(.status, _), .node(.layout, _): Need(.status)
    case .node(.health, _), .node(.welcome, _), .node(.methods, _), .node(.methodsOfNode, _), .message: nil
    }
  }
}

extension Operation {
  fileprivate var permission: Permission {
    switch self {
    case .get, .head: .read
    case .put: .write
    case .delete: .delete
    }
  }
}

/// Some permissions for the keys that begin with a prefix.
package struct Grant: Sendable, Equatable {
  /// What is allowed; not empty.
  package let permissions: Set<Permission>
  /// How the keys begin; empty for all keys.
  package let prefix: [UInt8]

  /// Traps where a permission that is not about keys is confined to some.
  package init(_ permissions: Set<Permission>, prefix: [UInt8] = []) {
    precondition(prefix.isEmpty || permissions.allSatisfy(\.isAboutKeys), "status has no keys")
    (self.permissions, self.prefix) = (permissions, prefix)
  }

  /// Reads `read,write:backup/`.
  fileprivate init(parsing word: Substring) throws(SettingError) {
    let colon = word.firstIndex(of: ":")
    var permissions: Set<Permission> = []
    for name in word[..<(colon ?? word.endIndex)].split(separator: ",", omittingEmptySubsequences: false) {
      if name == "all" {
        permissions.formUnion(Permission.allCases.filter { colon == nil || $0.isAboutKeys })
      } else if let permission = Permission(rawValue: String(name)) {
        permissions.insert(permission)
      } else {
        throw Grants.expected
      }
    }
    guard colon == nil || permissions.allSatisfy(\.isAboutKeys) else {
      throw SettingError(expected: "status without a prefix, for it is about no key")
    }
    let text = colon.map { Array(word[$0...].dropFirst().utf8) } ?? []
    do throws(HTTPSyntaxError) { prefix = try PercentCoding.decode(text.span) } catch {
      throw SettingError(expected: "a prefix percent-encoded as in a path")
    }
    guard prefix.count <= Key.bytesMax else {
      throw SettingError(expected: "a prefix of at most \(Key.bytesMax) bytes, as no key is longer")
    }
    self.permissions = permissions
  }

  /// The text that reads back as this grant.
  fileprivate var text: String {
    let names = Permission.allCases.filter(permissions.contains).map(\.rawValue).joined(separator: ",")
    return prefix.isEmpty ? names : "\(names):\(String(decoding: PercentCoding.encode(prefix), as: UTF8.self))"
  }
}

/// All that somebody may do. docs/security.md has the syntax.
package struct Grants: Sendable, Equatable, CustomStringConvertible {
  /// The most that are given at once.
  package static let countMax = 64
  /// Everything.
  package static let all = Grants([Grant(Set(Permission.allCases))])
  /// Nothing.
  package static let none = Grants([])

  fileprivate static let expected = SettingError(
    expected: "none, or permissions such as read,list or read,write:backup/ (read, write, delete, list, status or all)")

  private let grants: [Grant]

  /// Each of them is enough for what it allows.
  package init(_ grants: [Grant]) { self.grants = grants }

  /// Reads words such as `read,write:backup/`, separated by blanks; `none` stands alone.
  package init(parsing text: String) throws(SettingError) {
    let words = text.split { $0 == " " || $0 == "\t" }
    if words == ["none"] {
      grants = []
      return
    }
    guard !words.isEmpty else { throw Self.expected }
    guard words.count <= Self.countMax else { throw SettingError(expected: "at most \(Self.countMax) words") }
    var grants: [Grant] = []
    for word in words { grants.append(try Grant(parsing: word)) }
    self.grants = grants
  }

  /// Whether one of them allows it.
  package func permit(_ need: Need) -> Bool {
    grants.contains { $0.permissions.contains(need.permission) && need.keys.starts(with: $0.prefix) }
  }

  /// The text that reads back as these.
  package var description: String {
    grants.isEmpty ? "none" : grants.map(\.text).joined(separator: " ")
  }
}
