import CLinux
import Glibc

/// A stream socket that never blocks (tcp(7)). Each method is one system call; `Stream` waits.
package struct Socket: ~Copyable, Sendable {
  package let descriptor: FileDescriptor

  /// Becomes the owner of a connected or listening socket.
  package init(owning descriptor: consuming FileDescriptor) {
    self.descriptor = descriptor
  }

  /// A socket bound to the address and listening. IPv6 sockets on "any" take IPv4 too, as systemd's do.
  package static func listening(on address: SocketAddress, backlog: Int32) throws(SystemError) -> Socket {
    let socket = try Socket(family: address.family)
    try socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
    if address.family == AF_INET6 { try socket.set(CInt(IPPROTO_IPV6), IPV6_V6ONLY, address.isAnyIPv6 ? 0 : 1) }
    _ = try systemCall("bind") { address.withPointer { bind(socket.descriptor.number, $0, $1) } }
    _ = try systemCall("listen") { listen(socket.descriptor.number, backlog) }
    return socket
  }

  /// A socket on its way to the address; it is writable once the connection stands or has failed.
  package static func connecting(to address: SocketAddress) throws(SystemError) -> Socket {
    let socket = try Socket(family: address.family)
    try socket.set(CInt(IPPROTO_TCP), TCP_NODELAY, 1)
    do throws(SystemError) {
      _ = try systemCall("connect") { address.withPointer { connect(socket.descriptor.number, $0, $1) } }
    } catch  where error.code == EINPROGRESS {
    }
    return socket
  }

  private init(family: CInt) throws(SystemError) {
    descriptor = FileDescriptor(
      owning: try systemCall("socket") { clinux_stream_socket(family) })
  }

  /// How the attempt to connect ended.
  package func connectionError() throws(SystemError) -> SystemError? {
    var code: CInt = 0
    var byteCount = socklen_t(MemoryLayout<CInt>.size)
    _ = try systemCall("getsockopt") { getsockopt(descriptor.number, SOL_SOCKET, SO_ERROR, &code, &byteCount) }
    return code == 0 ? nil : SystemError(call: "connect", code: code)
  }

  /// The next connection, or nil where none waits.
  package func accept() throws(SystemError) -> Socket? {
    do throws(SystemError) {
      let number = try systemCall("accept4") { clinux_accept(descriptor.number) }
      let socket = Socket(owning: FileDescriptor(owning: number))
      try? socket.set(CInt(IPPROTO_TCP), TCP_NODELAY, 1)
      return socket
    } catch  where error.code == EAGAIN || error.code == ECONNABORTED {
      return nil
    }
  }

  /// Waits until a connection can be accepted, or the process stops.
  package func waitForConnection() async -> IOExecutor.Wakeup {
    await IOExecutor.current.wait(for: .readable(descriptor), until: nil, interruptible: true)
  }

  /// Moves bytes that have arrived into the buffer, at most so many (recv(2)).
  package func receive(into bytes: inout MutableRawSpan, bytesMax: Int) throws(SystemError) -> TransferResult {
    try bytes.withUnsafeMutableBytes { buffer throws(SystemError) in
      try transferCall("recv") { recv(descriptor.number, buffer.baseAddress, min(buffer.count, bytesMax), 0) }
    }
  }

  /// Drops up to so many bytes that have arrived, without copying them (MSG_TRUNC, tcp(7)).
  package func discard(bytesMax: Int) throws(SystemError) -> TransferResult {
    try transferCall("recv") { recv(descriptor.number, nil, bytesMax, CInt(MSG_TRUNC)) }
  }

  /// Whether the other side has closed or reset the connection, or sent something, without taking any byte.
  package func peek() throws(SystemError) -> TransferResult { try firstByte().0 }

  /// The first byte that has arrived, if one has, without taking it.
  package func firstByte() throws(SystemError) -> (TransferResult, UInt8) {
    var byte: UInt8 = 0
    let result = try transferCall("recv") { recv(descriptor.number, &byte, 1, CInt(MSG_PEEK)) }
    return (result, byte)
  }

  /// Gives bytes to the kernel to send (send(2)); `more` says that others follow at once, so that both may
  /// share a segment.
  package func send(_ bytes: RawSpan, more: Bool = false) throws(SystemError) -> TransferResult {
    let flags = CInt(MSG_NOSIGNAL) | (more ? CInt(MSG_MORE) : 0)
    return try bytes.withUnsafeBytes { buffer throws(SystemError) in
      try transferCall("send") { Glibc.send(descriptor.number, buffer.baseAddress, buffer.count, flags) }
    }
  }

  /// Gives two pieces to the kernel as if they were one (sendmsg(2)).
  package func send(_ head: RawSpan, _ body: RawSpan) throws(SystemError) -> TransferResult {
    try head.withUnsafeBytes { head throws(SystemError) in
      try body.withUnsafeBytes { body throws(SystemError) in
        try transferCall("sendmsg") {
          clinux_send_two(descriptor.number, head.baseAddress, head.count, body.baseAddress, body.count)
        }
      }
    }
  }

  /// Sends bytes of a file straight from the page cache (sendfile(2)) and moves the offset past them.
  package func send(
    file: borrowing File, at offset: inout Int, bytesMax: Int
  ) throws(SystemError) -> TransferResult {
    var position = off_t(offset)
    let result = try transferCall("sendfile") {
      sendfile(descriptor.number, file.descriptor.number, &position, bytesMax)
    }
    offset = Int(position)
    return result
  }

  /// Tells the other side that nothing more will come.
  package func shutdownSending() throws(SystemError) {
    _ = try systemCall("shutdown") { shutdown(descriptor.number, CInt(SHUT_WR)) }
  }

  /// Whether the closing of this socket, by whatever closes it, is a reset: the other side then sees an error and
  /// no clean end (SO_LINGER, socket(7)).
  package func setResetOnClose(_ resets: Bool) {
    var linger = linger(l_onoff: resets ? 1 : 0, l_linger: 0)
    // It fails only for a descriptor that is no socket.
    setsockopt(descriptor.number, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
  }

  /// How long what was sent may stay unacknowledged before the connection is given up (TCP_USER_TIMEOUT, tcp(7)).
  ///
  /// It counts while the other side's window is closed too, so a short one is no good for a slow receiver.
  package func setAcknowledgementTimeout(_ timeout: Duration) {
    // It fails only for a descriptor that is no TCP socket.
    try? set(CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, CInt(clamping: Int(timeout.inSeconds * 1000)))
  }

  /// The other side's address, or nil once the connection is gone.
  package var peer: SocketAddress? { address(getpeername) }

  /// This side's address.
  package var local: SocketAddress? { address(getsockname) }

  private func address(
    _ name: (CInt, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
  ) -> SocketAddress? {
    var storage = sockaddr_storage()
    var byteCount = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { name(descriptor.number, $0, &byteCount) }
    }
    return result == 0 ? SocketAddress(storage: storage, byteCount: byteCount) : nil
  }

  private func set(_ level: CInt, _ option: CInt, _ value: CInt) throws(SystemError) {
    var value = value
    _ = try systemCall("setsockopt") {
      setsockopt(descriptor.number, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
    }
  }
}

extension SocketAddress {
  fileprivate var isAnyIPv6: Bool {
    withUnsafeBytes(of: storage) { bytes in
      bytes.count >= 24 && bytes[8..<24].allSatisfy { $0 == 0 }
    }
  }
}
