/// How the process ends (sysexits.h).
enum ExitStatus {
  static let usage: Int32 = 64
  static let unavailable: Int32 = 69
  static let configuration: Int32 = 78
}
