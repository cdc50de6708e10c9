import KVCore

/// How much of all copies each member is to hold: in proportion to its weight as far as the rule lets it.
///
/// Two things stand against proportion: nobody holds two copies of a slot, and zones take turns. With as many zones as
/// copies the smallest zone gets a copy of everything, however few members it has.
package struct MemberShares: Sendable {
  /// A copy of every slot.
  package static let whole: UInt64 = 1 << 32

  /// What the member would hold by its weight alone, in units of 2^−32 of a copy of every slot.
  package let wished: [UInt64]
  /// What it will hold once weights are fitted; never above `whole`.
  package let attainable: [UInt64]

  /// The shares of members with those weights, of which slots get so many copies.
  package init(members: [RendezvousMember], copies: Int) {
    precondition(!members.isEmpty && RendezvousPlacement.copyCounts.contains(copies), "nothing to share out")
    let copyCount = min(copies, members.count)
    let weights = members.map { UInt64($0.weight) }
    let weightSum = weights.reduce(0, +)
    wished = weights.map { weight in
      weightSum.dividingFullWidth(weight.multipliedFullWidth(by: UInt64(copyCount) * Self.whole)).quotient
    }
    attainable = Self.attainable(weights: weights, zones: MemberZones(members), copyCount: copyCount)
  }

  /// How much more (above 1) or less each member will hold than its weight asks for.
  package var lopsidedness: [Double] { zip(attainable, wished).map { Double($0) / Double($1) } }

  /// Which part of all copies each member will hold, such as `33.3 %`.
  package var percentages: [String] {
    let sum = attainable.reduce(0, +)
    return attainable.map { "\(Self.decimal(Double($0) * 100 / Double(sum), digits: 1)) %" }
  }

  /// A line for each member that will hold a tenth more or less than its weight asks for.
  package func lopsided(names: [String]) -> [String] {
    names.indices.filter { !Self.accepted.contains(lopsidedness[$0]) }.map { index in
      let factor = Self.decimal(lopsidedness[index], digits: 2)
      return "\(names[index]) will hold \(percentages[index]) of all copies, \(factor) times what its weight asks for: "
        + "no node holds two copies of a value, and zones take turns"
    }
  }

  private static let accepted = 0.9...1.1

  private static func decimal(_ value: Double, digits: Int) -> String {
    let scale = digits == 1 ? 10 : 100
    let scaled = Int((value * Double(scale)).rounded())
    let fraction = String(scaled % scale)
    return "\(scaled / scale).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
  }
}

extension MemberShares {
  /// The members of one zone, and between what bounds the number of a slot's owners among them lies.
  private struct Zone {
    var weights: [UInt64] = []
    var atLeast: UInt64 = 0
    var atMost: UInt64 = 0

    /// What the members get by weight at that rate, nobody more than the whole.
    func sum(rate: UInt64) -> UInt64 { weights.reduce(0) { $0 + share($1, rate: rate) } }

    /// The same within the bounds.
    func boundedSum(rate: UInt64) -> UInt64 { min(max(sum(rate: rate), atLeast), atMost) }
  }

  /// The least rate, in units of 2^−48 of the whole for a weight of 1, at which the sum is reached.
  private static func rate(reaching sum: UInt64, by sumAt: (UInt64) -> UInt64) -> UInt64 {
    var (low, high): (UInt64, UInt64) = (0, 1 << 48)
    while low < high {
      let middle = (low + high) / 2
      if sumAt(middle) >= sum { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// What a weight gets at that rate.
  private static func share(_ weight: UInt64, rate: UInt64) -> UInt64 {
    let product = weight.multipliedFullWidth(by: rate)
    return min(product.high << 48 | product.low >> 16, whole)
  }

  private static func attainable(weights: [UInt64], zones: MemberZones, copyCount: Int) -> [UInt64] {
    var parts = Array(repeating: Zone(), count: zones.count)
    for (number, weight) in zip(zones.numbers, weights) { parts[number].weights.append(weight) }
    let sizes = parts.map(\.weights.count)
    // So many times each zone that has members left gives one before owners run out.
    let rounds = (0...copyCount).last { round in sizes.reduce(0) { $0 + min($1, round) } <= copyCount } ?? 0
    for number in parts.indices {
      parts[number].atLeast = UInt64(min(sizes[number], rounds)) * whole
      parts[number].atMost = UInt64(min(sizes[number], rounds + 1)) * whole
    }
    let common = rate(reaching: UInt64(copyCount) * whole) { rate in
      parts.reduce(0) { $0 + $1.boundedSum(rate: rate) }
    }
    let rates = parts.map { zone in
      zone.boundedSum(rate: common) == zone.sum(rate: common)
        ? common : rate(reaching: zone.boundedSum(rate: common), by: zone.sum)
    }
    return zip(zones.numbers, weights).map { share($1, rate: rates[$0]) }
  }
}
