// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
]

/// One executable each: libFuzzer brings the main function. What each tests is told in its source.
let fuzzTargets = [
  "chunked-body", "classic-line", "configuration", "http-request", "http-response", "key-path", "peer-text",
  "value-attribute",
]

/// Has a fault that can only be found by following coverage into KVCore; `run --control` looks for it.
let controlTarget = "control"

// The parsers are compiled anew, by links to their sources: their objects must be instrumented, and those of the programs
// not.
let package = Package(
  name: "fuzzing",
  targets: [
    .target(name: "KVHTTP", swiftSettings: strict),
    .target(name: "KVCore", dependencies: ["KVHTTP"], swiftSettings: strict),
    .target(name: "KVDialect", dependencies: ["KVCore", "KVHTTP"], swiftSettings: strict),
    .target(name: "KVStore", dependencies: ["KVCore"], swiftSettings: strict),
    .target(name: "FuzzSupport", dependencies: ["KVDialect", "KVCore", "KVHTTP"], swiftSettings: strict),
  ]
    + (fuzzTargets + [controlTarget]).map { name in
      .executableTarget(
        name: name, dependencies: ["KVStore", "KVDialect", "KVCore", "KVHTTP", "FuzzSupport"],
        swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])])
    }
)
