import KVCore
import KVHTTP
import KVLinux
import KVWire

/// Serves the admin port: HTTP, GET and HEAD only, for monitoring and people on this host.
struct AdminConnection: Sendable {
  private static let headerTimeout = Duration.seconds(10)

  let health: Health
  let notices: Notices
  let metrics: MetricsPage
  let status: ClusterStatus
  let current: CurrentCluster

  /// Answers the requests of one connection until the client leaves or is idle too long.
  func serve(_ stream: consuming Stream, _ place: consuming Place) async {
    var keepAlive = true
    var turn = Turn()
    while keepAlive {
      let parsed: Result<HTTPRequestHead, HTTPSyntaxError>?
      do throws(StreamError) {
        parsed = try await Messages(interrupter: place.interrupter)
          .request(from: &stream, within: .fromFirstByte(Self.headerTimeout))
      } catch {
        // A monitor that stands still or goes away asks again; nothing depends on this connection.
        return
      }
      guard let parsed else { return }
      guard place.settle(asPeer: false) else { return }
      let (page, includesBody) = await answer(parsed, &keepAlive)
      guard (try? await stream.send(page.encoded(keepAlive: keepAlive, includesBody: includesBody))) != nil else {
        return
      }
      await turn.served()
    }
    await stream.closeInOrder(by: place.interrupter)
  }

  private func answer(
    _ parsed: Result<HTTPRequestHead, HTTPSyntaxError>, _ keepAlive: inout Bool
  ) async -> (AdminPage, includesBody: Bool) {
    do throws(HTTPSyntaxError) {
      let head = try parsed.get()
      keepAlive = try head.bodyFraming() == .none && head.keepAlive
      return (await page(head), head.method != "HEAD")
    } catch {
      keepAlive = false
      return (AdminPage(status: error.status, text: "\(error)\n"), true)
    }
  }

  private func page(_ head: HTTPRequestHead) async -> AdminPage {
    guard head.method == "GET" || head.method == "HEAD" else {
      return AdminPage(status: 405, text: "only GET and HEAD\n")
    }
    switch String(decoding: head.target.path, as: UTF8.self) {
    case "/healthz":
      // What it can live with is told, and is no reason to be taken out of service.
      let reason = health.verdict.reason
      let lines = [reason ?? "ok"] + notices.lines
      return AdminPage(status: reason == nil ? 200 : 503, text: lines.map { "\($0)\n" }.joined())
    case "/metrics":
      return AdminPage(
        status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", text: metrics.text())
    case "/status":
      let status = await status.json(current.value)
      return AdminPage(status: 200, contentType: "application/json", text: "\(status)\n")
    default: return AdminPage(status: 404, text: "no such page; there are /healthz, /metrics and /status\n")
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
