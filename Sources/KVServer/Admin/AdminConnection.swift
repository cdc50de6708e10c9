import KVCore
import KVHTTP
import KVLinux
import KVWire

/// Serves one connection to the admin port: HTTP, GET and HEAD only, for monitoring and people on this host.
struct AdminConnection {
  private static let headReadBytes = 4096
  private static let headerTimeout = Duration.seconds(10)

  let node: Node

  /// Answers requests until the client leaves or is idle too long.
  func serve(_ stream: consuming Stream) async {
    var keepAlive = true
    while keepAlive {
      let page: AdminPage
      var includesBody = true
      do {
        guard let head = try await nextHead(&stream) else { return }
        let framing = try head.bodyFraming()
        keepAlive = head.keepAlive && framing == .none
        includesBody = head.method != "HEAD"
        page = await self.page(head)
      } catch let error as HTTPSyntaxError {
        keepAlive = false
        page = AdminPage(status: error.status, text: "\(error)\n")
      } catch {
        // A monitor that stands still or goes away asks again; nothing depends on this connection.
        return
      }
      guard (try? await stream.send(page.encoded(keepAlive: keepAlive, includesBody: includesBody))) != nil else {
        return
      }
    }
    await stream.closeInOrder()
  }

  /// The next request's head, or nil once the client has closed.
  private func nextHead(_ stream: inout Stream) async throws -> HTTPRequestHead? {
    var deadline: Instant?
    while true {
      if case .head(let head, let byteCount) = try HTTPRequestHead.parse(stream.unread.span) {
        stream.dropUnread(byteCount)
        return head
      }
      if deadline == nil && !stream.unread.isEmpty { deadline = .after(Self.headerTimeout) }
      let isIdle = stream.unread.isEmpty
      guard try await stream.fill(bytesMax: Self.headReadBytes, until: deadline, interruptible: isIdle) else {
        return nil
      }
    }
  }

  private func page(_ head: HTTPRequestHead) async -> AdminPage {
    guard head.method == "GET" || head.method == "HEAD" else {
      return AdminPage(status: 405, text: "only GET and HEAD\n")
    }
    switch String(decoding: head.target.path, as: UTF8.self) {
    case "/healthz": return health()
    case "/metrics":
      return AdminPage(
        status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", text: MetricsPage(node: node).text()
      )
    case "/status":
      let status = await ClusterStatus(node: node, cluster: node.cluster).json()
      return AdminPage(status: 200, contentType: "application/json", text: String(decoding: status, as: UTF8.self))
    default: return AdminPage(status: 404, text: "no such page; there are /healthz, /metrics and /status\n")
    }
  }

  private func health() -> AdminPage {
    switch node.health.verdict(maximumAge: Supervision.interval * 3) {
    case .healthy: AdminPage(status: 200, text: "ok\n")
    case .unhealthy(let reason): AdminPage(status: 503, text: "\(reason)\n")
    }
  }
}

/// An answer of the admin port, whole.
struct AdminPage: Equatable {
  let status: Int
  let contentType: String
  let text: String

  init(status: Int, contentType: String = "text/plain; charset=utf-8", text: String) {
    self.status = status
    self.contentType = contentType
    self.text = text
  }

  /// The bytes to send.
  func encoded(keepAlive: Bool, includesBody: Bool) -> [UInt8] {
    var fields: HTTPFields = [
      "Content-Type": contentType, "Content-Length": "\(text.utf8.count)", "Cache-Control": "no-store",
    ]
    if status == 405 { fields.append("Allow", "GET, HEAD") }
    if !keepAlive { fields.append("Connection", "close") }
    return HTTPResponseHead(status: status, fields: fields).encoded() + (includesBody ? Array(text.utf8) : [])
  }
}
