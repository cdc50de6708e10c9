import CXXHash
import KVCore

/// XXH3-128 over bytes as they come (libxxhash).
public struct Checksum: ~Copyable {
  private let state: OpaquePointer

  /// The checksum of nothing yet.
  public init() {
    guard let state = XXH3_createState() else { preconditionFailure("out of memory") }
    self.state = state
    XXH3_128bits_reset(state)
  }

  deinit { XXH3_freeState(state) }

  /// Takes further bytes in.
  public func update(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { buffer in
      cxxhash_update(state, buffer.baseAddress, buffer.count)
    }
  }

  /// The checksum of all bytes so far.
  public var value: ValueChecksum {
    let digest = XXH3_128bits_digest(state)
    return ValueChecksum(high: digest.high64, low: digest.low64)
  }
}
