import Glibc

/// What is known of the terminal, if there is one.
public enum Terminal {
  /// Whether standard error goes to a terminal (isatty(3)) that can move its cursor.
  public static var isStandardError: Bool {
    isatty(STDERR_FILENO) == 1 && getenv("TERM").map { strcmp($0, "dumb") != 0 } ?? true
  }

  /// Whether standard output goes to a terminal.
  public static var isStandardOutput: Bool { isatty(STDOUT_FILENO) == 1 }

  /// How many characters fit in a line of standard error's terminal; 80 where nobody says.
  public static var columns: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}
