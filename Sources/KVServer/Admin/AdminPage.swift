import KVCore

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
