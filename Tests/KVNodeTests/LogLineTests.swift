import Logging
import Testing

@testable import kvnode

struct LogLineTests {
  @Test(
    arguments: [
      ("serving", [:], "serving"), ("serving", ["b": "2", "a": "1"], "serving a=1 b=2"),
      ("a b", ["key": "c d"], "a b key=c d"),
    ] as [(Logger.Message, Logger.Metadata, String)])
  func isTheMessageThenItsMetadataByName(message: Logger.Message, metadata: Logger.Metadata, line: String) {
    #expect(LogLine.text(message, metadata) == line)
  }
}
