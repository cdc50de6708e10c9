import KVCore
import KVHTTP
import KVLinux

/// What a data directory's store is called, for ever: 32 hexadecimal digits, chosen when the store is made.
package struct StoreIdentifier: Equatable, Sendable, CustomStringConvertible {
  private static let digitCount = 32

  /// The digits.
  package let description: String

  /// A new one, that no other store has.
  static func random() -> StoreIdentifier {
    StoreIdentifier(description: Hexadecimal.digits(.random(count: digitCount / 2)))
  }

  private init(description: String) { self.description = description }

  /// Reads the digits; nil for anything else.
  init?(_ text: some Collection<UInt8>) {
    let digits = String(decoding: text, as: UTF8.self)
    guard digits.utf8.count == Self.digitCount,
      digits.utf8.allSatisfy({ $0.isASCIIDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0) })
    else { return nil }
    description = digits
  }

  private static let bytesMax = digitCount + 1

  /// The identifier of the store in a data directory, or nil where it has none.
  static func read(in root: borrowing Directory, _ path: String) throws(StoreOpenError) -> StoreIdentifier? {
    let found: [UInt8]?
    do throws(SystemError) {
      found = try root.contents(of: StoreName.identifier, bytesMax: bytesMax + 1)
    } catch {
      throw .unusable(path: path, error)
    }
    guard let found else { return nil }
    guard found.last == UInt8(ascii: "\n"), let identifier = StoreIdentifier(found.dropLast()) else {
      throw .unknownIdentifier(path: path, found: PrintableText.escape(found))
    }
    return identifier
  }
}

/// Remembers, in a directory that does not lie on the data disk, which store a data directory had. A disk that is not
/// mounted leaves an empty directory in its place, which must not be taken for a new store.
struct StoreMemory {
  private static let name = "store"
  private static let newName = "store.new"
  private static let bytesMax = 2048

  private let statePath: String
  private let dataPath: String

  init(statePath: String, dataPath: String) {
    self.statePath = statePath
    self.dataPath = dataPath
  }

  /// Fails where another store, or none, lies where one was. What was remembered of another directory says nothing of
  /// this one: somebody has set `DataDirectory=` anew.
  func check(hasFormat: Bool, _ found: StoreIdentifier?) throws(StoreOpenError) {
    guard let known = try remembered(), known != found else { return }
    let marker = "\(statePath)/\(Self.name)"
    guard hasFormat || found != nil else { throw .vanished(path: dataPath, known, marker: marker) }
    throw .replaced(path: dataPath, found: found, known, marker: marker)
  }

  /// Remembers the store, durably.
  func remember(_ identifier: StoreIdentifier) throws(StoreOpenError) {
    guard try remembered() != identifier else { return }
    do throws(SystemError) {
      try Directory(path: statePath).replaceFile(
        Self.name, by: Self.newName, Array("\(identifier) \(dataPath)\n".utf8))
    } catch {
      throw .stateUnusable(path: statePath, error)
    }
  }

  /// The store that the data directory had, if that is known.
  private func remembered() throws(StoreOpenError) -> StoreIdentifier? {
    let text: [UInt8]?
    do throws(SystemError) {
      text = try Directory(path: statePath, making: true).contents(of: Self.name, bytesMax: Self.bytesMax)
    } catch {
      throw .stateUnusable(path: statePath, error)
    }
    guard let text else { return nil }
    let parts = text.split(separator: UInt8(ascii: " "), maxSplits: 1)
    guard parts.count == 2, text.last == UInt8(ascii: "\n"), let identifier = StoreIdentifier(parts[0]) else {
      throw .unknownMarker("\(statePath)/\(Self.name)", found: PrintableText.escape(text))
    }
    return parts[1].dropLast().elementsEqual(dataPath.utf8) ? identifier : nil
  }
}
