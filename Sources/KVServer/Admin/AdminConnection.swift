import KVCore
import KVHTTP
import KVLinux
import KVWire

/// Serves the admin port, for monitoring and people on this host: HTTP, GET and HEAD, and POST for orders.
struct AdminConnection: Sendable {
  private static let headerTimeout = Duration.seconds(10)

  let health: Health
  let notices: Notices
  let metrics: MetricsPage
  let status: ClusterStatus
  let orders: LayoutOrders
  let current: CurrentCluster
  let access: AccessControl
  let certificate: ServerCertificate

  /// Answers the requests of one connection until the client leaves or is idle too long.
  func serve(_ stream: consuming Stream, _ place: consuming Place) async {
    if let context = certificate.context {
      let deadline = Instant.after(Self.headerTimeout)
      do { try await stream.acceptTLS(context, until: deadline, by: place.interrupter) } catch { return }
    }
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
      let (remote, local) = (stream.peer?.address, stream.local?.address)
      let isOwnHost = remote.map { $0.isLoopback || $0 == local } ?? false
      let (page, includesBody) = await answer(parsed, stream, isOwnHost: isOwnHost, &keepAlive)
      guard (try? await stream.send(page.encoded(keepAlive: keepAlive, includesBody: includesBody))) != nil else {
        return
      }
      await turn.served()
    }
    await stream.closeInOrder(by: place.interrupter)
  }

  private func answer(
    _ parsed: Result<HTTPRequestHead, HTTPSyntaxError>, _ stream: borrowing Stream, isOwnHost: Bool,
    _ keepAlive: inout Bool
  ) async -> (AdminPage, includesBody: Bool) {
    do throws(HTTPSyntaxError) {
      let head = try parsed.get()
      keepAlive = try head.bodyFraming() == .none && head.keepAlive
      let refusal = await access.refusal(
        ofAdmin: Self.need(of: head), String(decoding: head.target.path, as: UTF8.self), Credential(head.fields),
        over: stream, isOwnHost: isOwnHost, current.value.configuration)
      if let refusal { return (AdminPage(refusal), head.method != "HEAD") }
      if head.method == "POST" { return (try await order(head, isOwnHost: isOwnHost), true) }
      return (await page(head), head.method != "HEAD")
    } catch {
      keepAlive = false
      return (AdminPage(status: error.status, text: "\(error)\n"), true)
    }
  }

  /// Whether it lives is told to everybody. An order can cost values, and so takes what their removal takes.
  private static func need(of head: HTTPRequestHead) -> Need? {
    if head.method == "POST" { return Need(.delete) }
    return head.target.path == Array("/healthz".utf8) ? nil : Need(.status)
  }

  private func page(_ head: HTTPRequestHead) async -> AdminPage {
    guard head.method == "GET" || head.method == "HEAD" else {
      return AdminPage(status: 405, text: "only GET and HEAD, and POST for orders\n")
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
    case "/layout":
      return AdminPage(status: 200, contentType: "application/json", text: "\(orders.layouts.report.json)\n")
    default:
      return AdminPage(status: 404, text: "no such page; there are /healthz, /metrics, /status and /layout\n")
    }
  }
}

/// Orders: `POST /layout/cancel`, and `POST /layout/force?lost=NAME`.
extension AdminConnection {
  /// A script in a browser cannot send it along, unless it asks first, and then it is refused; or unless its site has given
  /// its own name this host's address, which is why orders are not taken under any name.
  private static let orderField = "Kvnode-Order"

  private func order(_ head: HTTPRequestHead, isOwnHost: Bool) async throws(HTTPSyntaxError) -> AdminPage {
    let path = String(decoding: head.target.path, as: UTF8.self)
    guard let name = LayoutOrders.Name.allCases.first(where: { path == "/layout/\($0.rawValue)" }) else {
      return AdminPage(status: 405, text: "POST is for /layout/cancel and /layout/force alone\n")
    }
    guard isOwnHost, head.fields["Host"].map(CrossOrigin.isNobodys) ?? false else {
      return AdminPage(status: 403, text: "orders are taken from this host alone, by its address or as localhost\n")
    }
    guard head.fields[Self.orderField] == name.rawValue else {
      return AdminPage(status: 403, text: "an order needs the field \(Self.orderField): \(name.rawValue)\n")
    }
    let parameters = try HTTPQuery(head.target.query).parameters
    if let odd = parameters.first(where: { $0.name != "lost" || name == .cancel }) {
      return AdminPage(status: 400, text: "the query \(odd.name) has no meaning here\n")
    }
    do throws(Failure) {
      let text = try await orders.take(name, lost: parameters.map { PrintableText.escape($0.value) })
      return AdminPage(status: 200, text: "\(text)\n")
    } catch {
      return AdminPage(error)
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

  init(_ failure: Failure) { self.init(status: failure.kind.rawValue, text: "\(Token.masked(failure.message))\n") }

  /// The bytes to send.
  func encoded(keepAlive: Bool, includesBody: Bool) -> [UInt8] {
    var fields: HTTPFields = [
      "Content-Type": contentType, "Content-Length": "\(text.utf8.count)", "Cache-Control": "no-store",
    ]
    if status == 405 { fields.append("Allow", "GET, HEAD, POST") }
    if status == 401 { for challenge in Credential.challenges { fields.append("WWW-Authenticate", challenge) } }
    if !keepAlive { fields.append("Connection", "close") }
    return HTTPResponseHead(status: status, fields: fields).encoded() + (includesBody ? Array(text.utf8) : [])
  }
}
