import Glibc

/// What this process uses, as /proc/self and getrusage(2) tell.
public struct ProcessStatistics: Sendable {
  /// Processor time in user and kernel mode, in seconds.
  public let processorSeconds: Double
  /// Memory in use, in bytes.
  public let residentBytes: Int
  /// Open descriptors.
  public let openDescriptorCount: Int

  /// The figures now. What cannot be read is 0.
  public init() {
    var usage = rusage()
    getrusage(CInt(RUSAGE_SELF.rawValue), &usage)
    processorSeconds = Self.seconds(usage.ru_utime) + Self.seconds(usage.ru_stime)
    let statm = (try? File(path: "/proc/self/statm").contents(bytesMax: 256)) ?? []
    let fields = statm.split(separator: UInt8(ascii: " ")).map { Int(String(decoding: $0, as: UTF8.self)) ?? 0 }
    residentBytes = (fields.count > 1 ? fields[1] : 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    openDescriptorCount = (try? Directory(path: "/proc/self/fd").names().count) ?? 0
  }

  private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000 }
}
