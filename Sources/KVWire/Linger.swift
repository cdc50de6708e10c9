/// How long a closing connection may send what nobody wants before it is cut, and how much of it is taken: in proportion to
/// what it has announced, for many clients read no answer before they have sent all of that.
struct Linger: Equatable {
  /// How long it may be silent.
  static let idleTimeout = Duration.seconds(5)
  private static let timeoutMin = Duration.seconds(30)
  private static let timeoutMax = Duration.seconds(600)
  /// What a client must at least manage of what it has announced, so that nobody keeps a closing connection for long.
  private static let bytesPerSecond = 8 << 20
  /// How much more than it has announced: another request or two may have been sent behind it already.
  private static let excessBytesMax = 64 << 20

  /// How long it may go on.
  let timeout: Duration
  /// How many bytes are taken; nil where nothing was announced, and only time tells.
  let bytesMax: Int?

  init(announcedBytes: Int) {
    let timeout = Duration.seconds(announcedBytes / Self.bytesPerSecond)
    self.timeout = min(max(timeout, Self.timeoutMin), Self.timeoutMax)
    let (bytesMax, isTooMuch) = announcedBytes.addingReportingOverflow(Self.excessBytesMax)
    self.bytesMax = announcedBytes == 0 ? nil : isTooMuch ? .max : bytesMax
  }
}
