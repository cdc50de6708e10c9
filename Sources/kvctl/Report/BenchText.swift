import KVCore
import KVLinux

/// How the result of a bench is written.
enum BenchText {
  private static let header = ["", "OPERATIONS", "PER SECOND", "THROUGHPUT", "P50", "P90", "P99", "MAX"]

  static func table(_ plan: BenchPlan, _ result: BenchRun.Result) -> String {
    let seconds = result.duration.inSeconds
    let rows = [header] + kinds(result).map { name, kind in row(name, kind, seconds) }
    let widths = header.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    let lines = rows.map { row in
      zip(row, widths).enumerated().map { column, cell in
        let padding = String(repeating: " ", count: cell.1 - cell.0.count)
        return column == 0 ? cell.0 + padding : padding + cell.0
      }.joined(separator: "  ")
    }
    let summary =
      "\(Quantity.bytes(plan.valueBytes)) values, \(plan.concurrency) at a time, "
      + "\(Quantity.latency(microseconds: Int(result.duration / .microseconds(1))))"
    return ([summary] + lines).map { "\($0)\n" }.joined()
  }

  private static func kinds(_ result: BenchRun.Result) -> [(String, BenchTally.Kind)] {
    [("put", result.tally.puts), ("get", result.tally.gets)].filter { $0.1.operations > 0 }
  }

  private static func row(_ name: String, _ kind: BenchTally.Kind, _ seconds: Double) -> [String] {
    let latencies = [50, 90, 99].map(kind.latency.percentileMicroseconds) + [kind.latency.maximumMicroseconds]
    let perSecond = Double(kind.operations) / max(seconds, 0.001)
    return [
      name, "\(kind.operations)",
      perSecond < 100 ? "\((perSecond * 10).rounded() / 10)" : "\(Int(perSecond.rounded()))",
      Quantity.rate(Double(kind.bytes) / max(seconds, 0.001)),
    ] + latencies.map { Quantity.latency(microseconds: $0) }
  }

  static func json(_ plan: BenchPlan, _ result: BenchRun.Result) -> String {
    var object = JSONObject()
    object.add("size", plan.valueBytes)
    object.add("concurrency", plan.concurrency)
    object.add("mix", plan.mix.description)
    object.add("milliseconds", Int(result.duration / .milliseconds(1)))
    for (name, kind) in kinds(result) { object.add(name, json(kind, result.duration.inSeconds)) }
    return "\(object)\n"
  }

  private static func json(_ kind: BenchTally.Kind, _ seconds: Double) -> JSONObject {
    var object = JSONObject()
    object.add("operations", kind.operations)
    object.add("bytes", kind.bytes)
    object.add("bytes_per_second", Int(Double(kind.bytes) / max(seconds, 0.001)))
    object.add("p50_microseconds", kind.latency.percentileMicroseconds(50))
    object.add("p90_microseconds", kind.latency.percentileMicroseconds(90))
    object.add("p99_microseconds", kind.latency.percentileMicroseconds(99))
    object.add("max_microseconds", kind.latency.maximumMicroseconds)
    return object
  }
}
