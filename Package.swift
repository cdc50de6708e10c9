// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
]

/// For all but KVLinux, which has the only unsafe code.
let safe = strict + [.strictMemorySafety()]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let collections = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "kvnode",
  products: [
    .executable(name: "kvnode", targets: ["kvnode"]),
    .executable(name: "kvctl", targets: ["kvctl"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
  ],
  targets: [
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
    .systemLibrary(name: "CMD", pkgConfig: "libmd", providers: [.apt(["libmd-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
    .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
    .target(name: "CLinux"),
    .target(name: "KVHTTP", swiftSettings: safe),
    .target(name: "KVCore", dependencies: ["KVHTTP"], swiftSettings: safe),
    .target(name: "KVDialect", dependencies: ["KVCore", "KVHTTP"], swiftSettings: safe),
    .target(name: "KVCluster", dependencies: ["KVCore", "KVHTTP"], swiftSettings: safe),
    .target(
      name: "KVLinux",
      dependencies: [
        "KVCore", "KVHTTP", "CLinux", "CXXHash", "CMD", "CCrypto", "CLMDB", "CSystemd", collections, heap,
      ],
      swiftSettings: strict),
    .target(name: "KVWire", dependencies: ["KVLinux", "KVCore", "KVHTTP"], swiftSettings: safe),
    .target(
      name: "KVStore", dependencies: ["KVCluster", "KVLinux", "KVCore", "KVHTTP"], swiftSettings: safe),
    .target(
      name: "KVServer",
      dependencies: ["KVStore", "KVWire", "KVCluster", "KVDialect", "KVLinux", "KVCore", "KVHTTP", logging],
      swiftSettings: safe),
    .executableTarget(
      name: "kvnode", dependencies: ["KVServer", "KVStore", "KVCluster", "KVLinux", "KVCore", logging],
      swiftSettings: safe),
    .executableTarget(
      name: "kvctl",
      dependencies: ["KVStore", "KVWire", "KVCluster", "KVDialect", "KVLinux", "KVCore", "KVHTTP", arguments],
      swiftSettings: safe),
    .executableTarget(
      name: "simulate", dependencies: ["KVCluster", "KVCore", heap], path: "Tests/Simulation", swiftSettings: safe),
    .target(
      name: "TestSupport", dependencies: ["KVStore", "KVWire", "KVLinux", "KVCore", "KVHTTP"], path: "Tests/Support",
      resources: [.copy("Vectors")], swiftSettings: strict),
    .testTarget(name: "KVHTTPTests", dependencies: ["KVHTTP", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "KVCoreTests", dependencies: ["KVCore", "KVHTTP", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "KVDialectTests", dependencies: ["KVDialect", "KVCore", "KVHTTP", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "KVClusterTests", dependencies: ["KVCluster", "KVLinux", "KVCore", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "KVLinuxTests", dependencies: ["KVLinux", "KVCore", "KVHTTP", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "KVWireTests", dependencies: ["KVWire", "KVLinux", "KVCore", "KVHTTP", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "KVStoreTests",
      dependencies: ["KVStore", "KVCluster", "KVLinux", "KVCore", "KVHTTP", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "KVServerTests",
      dependencies: [
        "KVServer", "KVStore", "KVWire", "KVCluster", "KVDialect", "KVLinux", "KVCore", "KVHTTP", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "KVCtlTests", dependencies: ["kvctl", "KVDialect", "KVLinux", "KVCore", "KVHTTP", "TestSupport"],
      swiftSettings: strict),
    .testTarget(name: "KVNodeTests", dependencies: ["kvnode", "KVCore", "KVLinux", logging], swiftSettings: strict),
  ]
)
