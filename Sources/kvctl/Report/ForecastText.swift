import KVCluster
import KVCore

/// How the forecast of a change is written.
struct ForecastText {
  private static let header = ["HOST", "VALUES", "BYTES", "LEAVING", "ARRIVING", "FREE"]

  private let forecast: MoveForecast
  private let wish: Wish
  /// By name, where it is known.
  private let free: [String: Int]
  /// Nil for no limit.
  private let bytesPerSecond: Int?

  init(_ forecast: MoveForecast, _ wish: Wish, free: [String: Int], bytesPerSecond: Int?) {
    (self.forecast, self.wish, self.free, self.bytesPerSecond) = (forecast, wish, free, bytesPerSecond)
  }

  /// The wished hosts in order, then those that leave.
  private var names: [String] { wish.names + forecast.hosts.keys.filter { !wish.names.contains($0) }.sorted() }

  var table: String {
    let rows = names.map { name in
      let host = forecast.hosts[name] ?? MoveForecast.Host()
      return [
        name, "\(host.before.values)", Quantity.bytes(host.before.bytes), Self.text(host.leaving),
        Self.text(host.arriving), free[name].map { Quantity.bytes($0) } ?? "-",
      ]
    }
    return TableText.text([Self.header] + rows) + "\n\(total)\(duration)\n"
      + problems.map { "problem: \($0)\n" }.joined()
  }

  private var total: String {
    let bytes = Quantity.bytes(forecast.moved.bytes)
    guard !forecast.hasCopies else {
      return "\(Counted(forecast.moved.values, "copy", "copies")) of \(Quantity.values(forecast.all.values)) "
        + "would be made, \(bytes)"
    }
    let part = forecast.all.bytes == 0 ? 0 : forecast.moved.bytes * 100 / forecast.all.bytes
    return "\(Quantity.values(forecast.moved.values)) of \(forecast.all.values) would move, \(bytes), "
      + "\(part) % of all bytes"
  }

  var json: JSONObject {
    var object = JSONObject()
    object.add("hosts", names.map(json))
    object.add("values", forecast.all.values)
    object.add("bytes", forecast.all.bytes)
    object.add("moved_values", forecast.moved.values)
    object.add("moved_bytes", forecast.moved.bytes)
    if let seconds { object.add("seconds_at_least", seconds) }
    object.add("problems", problems)
    return object
  }

  private func json(_ name: String) -> JSONObject {
    let host = forecast.hosts[name] ?? MoveForecast.Host()
    var object = JSONObject()
    object.add("name", name)
    object.add("values", host.before.values)
    object.add("bytes", host.before.bytes)
    object.add("leaving_values", host.leaving.values)
    object.add("leaving_bytes", host.leaving.bytes)
    object.add("arriving_values", host.arriving.values)
    object.add("arriving_bytes", host.arriving.bytes)
    if let free = free[name] { object.add("free", free) }
    return object
  }

  private static func text(_ sum: MoveForecast.Sum) -> String {
    sum.values == 0 ? "-" : "\(sum.values), \(Quantity.bytes(sum.bytes))"
  }

  /// What the limit on moves alone makes of it.
  private var seconds: Int? {
    bytesPerSecond.map { (forecast.hosts.values.map(\.arriving.bytes).max() ?? 0) / $0 }
  }

  private var duration: String {
    guard let seconds, seconds > 0 else { return "" }
    return ", in \(Quantity.age(seconds: seconds)) at least (MoveRate=)"
  }

  private var problems: [String] {
    names.compactMap { name in
      guard let host = forecast.hosts[name], let free = free[name], host.arriving.bytes > free else { return nil }
      return "\(name) has less room than arrives"
    }
  }
}
