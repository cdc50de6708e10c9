/// Writes metrics in the text format of Prometheus
/// (https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4).
struct PrometheusText {
  /// The kinds of metrics in use.
  enum Kind: String {
    case counter
    case gauge
    case histogram
  }

  private(set) var text = ""

  /// Begins a metric; its samples follow.
  mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
  }

  /// A sample of the metric begun last.
  mutating func sample(_ name: String, _ labels: [(String, String)] = [], _ value: Double) {
    let written = labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }.joined(separator: ",")
    text += written.isEmpty ? "\(name) " : "\(name){\(written)} "
    text += value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))\n" : "\(value)\n"
  }

  /// A metric with one sample.
  mutating func single(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
    begin(name, kind, help)
    sample(name, [], value)
  }

  private static func escaped(_ value: String) -> String {
    var escaped = ""
    for character in value {
      switch character {
      case "\\": escaped += "\\\\"
      case "\"": escaped += "\\\""
      case "\n": escaped += "\\n"
      default: escaped.append(character)
      }
    }
    return escaped
  }
}

/// Counts durations by size, as Prometheus wants its histograms.
struct Histogram: Sendable {
  /// The upper bounds of the buckets in seconds, from a small value in the page cache to a gigabyte over a slow link.
  static let boundsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

  private var counts = [Int](repeating: 0, count: boundsSeconds.count + 1)
  private var sumSeconds = 0.0

  /// Counts a duration.
  mutating func record(seconds: Double) {
    let index = Self.boundsSeconds.firstIndex { seconds <= $0 } ?? Self.boundsSeconds.count
    counts[index] += 1
    sumSeconds += seconds
  }

  /// Writes the buckets, the sum and the count.
  func write(_ name: String, _ labels: [(String, String)], to text: inout PrometheusText) {
    var total = 0
    for (bound, count) in zip(Self.boundsSeconds, counts) {
      total += count
      text.sample("\(name)_bucket", labels + [("le", "\(bound)")], Double(total))
    }
    total += counts[Self.boundsSeconds.count]
    text.sample("\(name)_bucket", labels + [("le", "+Inf")], Double(total))
    text.sample("\(name)_sum", labels, sumSeconds)
    text.sample("\(name)_count", labels, Double(total))
  }
}
