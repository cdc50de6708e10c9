/// The parameters of a target's query, as forms and most libraries write them (URL Standard, section 5.1): pairs with `&`
/// between, where a plus is a space.
package struct HTTPQuery: Equatable, Sendable {
  /// A name, and the value where there is one.
  package struct Parameter: Equatable, Sendable {
    package let name: String
    package let value: [UInt8]
  }

  /// How many parameters are read.
  package static let parametersMax = 32

  /// The parameters in order; empty ones are left out.
  package let parameters: [Parameter]

  /// Reads a query, or none.
  package init(_ query: [UInt8]?) throws(HTTPSyntaxError) {
    var parameters: [Parameter] = []
    for part in (query ?? []).split(separator: UInt8(ascii: "&")) {
      let pair = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      let name = PrintableText.escape(try Self.decoded(pair[0]))
      parameters.append(Parameter(name: name, value: pair.count > 1 ? try Self.decoded(pair[1]) : []))
      guard parameters.count <= Self.parametersMax else {
        throw .bad("the query has more than \(Self.parametersMax) parameters")
      }
    }
    self.parameters = parameters
  }

  private static func decoded(_ text: ArraySlice<UInt8>) throws(HTTPSyntaxError) -> [UInt8] {
    let spaced = text.map { $0 == UInt8(ascii: "+") ? HTTPByte.space : $0 }
    return try PercentCoding.decode(spaced.span)
  }
}
