// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "kvnode",
  products: [
    .executable(name: "kvnode", targets: ["kvnode"]),
    .executable(name: "kvctl", targets: ["kvctl"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
  ],
  targets: [
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
    .systemLibrary(name: "CMD", pkgConfig: "libmd", providers: [.apt(["libmd-dev"])]),
    .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
    .target(name: "CLinux"),
    .target(name: "KVCore", swiftSettings: strict),
    .target(name: "KVLinux", dependencies: ["KVCore", "CLinux", "CXXHash", "CMD", "CSystemd"], swiftSettings: strict),
    .target(
      name: "KVServer",
      dependencies: ["KVCore", "KVLinux", .product(name: "Logging", package: "swift-log")],
      swiftSettings: strict),
    .executableTarget(
      name: "kvnode",
      dependencies: ["KVServer", "KVCore", "KVLinux", .product(name: "Logging", package: "swift-log")],
      swiftSettings: strict),
    .executableTarget(
      name: "kvctl",
      dependencies: [
        "KVServer", "KVCore", "KVLinux", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "KVCoreTests", dependencies: ["KVCore"], resources: [.copy("Vectors")], swiftSettings: strict),
    .testTarget(
      name: "KVLinuxTests", dependencies: ["KVLinux", "KVCore"], resources: [.copy("Vectors")], swiftSettings: strict),
    .testTarget(
      name: "KVServerTests", dependencies: ["KVServer", "KVLinux", "KVCore"], swiftSettings: strict),
    .testTarget(name: "KVCtlTests", dependencies: ["kvctl", "KVCore", "KVLinux"], swiftSettings: strict),
    .testTarget(
      name: "KVNodeTests",
      dependencies: ["kvnode", "KVCore", "KVLinux", .product(name: "Logging", package: "swift-log")],
      swiftSettings: strict),
  ]
)
