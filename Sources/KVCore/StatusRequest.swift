/// How a node is asked what it is and how it does: `GET /?status`.
public enum StatusRequest {
  /// The most that an answer has.
  public static let answerBytesMax = 4096

  /// Whether a head asks for the status.
  public static func matches(_ head: HTTPRequestHead) -> Bool {
    head.method == "GET" && head.target.path == [UInt8(ascii: "/")] && head.target.query == Array("status".utf8)
  }

  /// The head of such a request. It carries no mark: nodes that disagree about the peer list answer it too.
  public static func head(to address: PeerAddress) -> HTTPRequestHead {
    HTTPRequestHead(
      method: "GET", target: HTTPTarget(key: [], query: Array("status".utf8)), fields: ["Host": "\(address)"])
  }
}
