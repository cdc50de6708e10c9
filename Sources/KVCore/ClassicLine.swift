/// The one line that opens a request in the classic dialect: `PUT key [length]`, `GET key` or `DEL key`.
public struct ClassicLine: Equatable, Sendable {
  /// The longest line, its LF included.
  public static let bytesMax = 4096

  /// What is asked.
  public let operation: Operation
  /// About which key.
  public let key: Key
  /// How many bytes the value will have, where the client said so.
  public let valueBytes: Int?

  /// Reads a line from which the LF, and a CR before it, have been taken away.
  ///
  /// Words are separated by one or more spaces. Further words are refused rather than ignored: a key with a
  /// space in it would otherwise quietly become another key.
  public init(parsing line: ArraySlice<UInt8>) throws(Failure) {
    let words = line.split(separator: UInt8(ascii: " "))
    guard let verb = words.first, let operation = Operation(rawValue: PrintableText.escape(verb)),
      operation != .head
    else {
      throw Failure(.badRequest, "Unsupported operation (only PUT/GET/DEL supported)")
    }
    self.operation = operation
    guard words.count > 1 else { throw Failure(.badRequest, "\(operation.rawValue) needs a key") }
    do throws(KeyError) {
      key = try Key(words[1])
    } catch {
      throw Failure(.badRequest, "\(operation.rawValue): \(error)")
    }
    let lastAllowed = operation == .put ? 3 : 2
    if words.count > lastAllowed {
      throw Failure(
        .badRequest,
        "\(operation.rawValue) \(key): unexpected '\(PrintableText.escape(words[lastAllowed]))' after the key")
    }
    valueBytes = words.count == 3 ? try Self.length(words[2], key: key) : nil
  }

  private static func length(_ word: ArraySlice<UInt8>, key: Key) throws(Failure) -> Int {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard word.allSatisfy(digits.contains), let length = Int(PrintableText.escape(word)) else {
      throw Failure(.badRequest, "PUT \(key): '\(PrintableText.escape(word))' is no length in bytes")
    }
    return length
  }
}
