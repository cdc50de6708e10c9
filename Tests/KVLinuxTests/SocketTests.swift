import Glibc
import KVCore
import Testing
import TestSupport

@testable import KVLinux

@Suite(.timeLimit(.minutes(10))) struct SocketTests {
  private func receive(_ socket: borrowing Socket, bytesMax: Int = 100) throws(SystemError) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 200)
    var span = buffer.mutableSpan
    var bytes = span.mutableBytes
    switch try socket.receive(into: &bytes, bytesMax: bytesMax) {
    case .moved(let count): return Array(buffer.prefix(count))
    case .end: return []
    case .wouldBlock: return nil
    }
  }

  private func waitReadable(_ socket: borrowing Socket) async {
    _ = await IOExecutor.current.wait(for: .readable(socket.descriptor), until: nil)
  }

  @Test func bothEndsKnowTheAddresses() async throws {
    try await onExecutor {
      let pair = try await Loopback.pair()
      let near = pair.near.take()
      let far = pair.far.take()
      #expect(near.peerAddress == far.localAddress)
      #expect(near.localAddress == far.peerAddress)
      #expect(near.localAddress.hasPrefix("127.0.0.1:"))
      #expect(near.localAddress != near.peerAddress)
    }
  }

  @Test func aTakenPortIsRefused() throws {
    let first = try Loopback.listener()
    let error = #expect(throws: SystemError.self) {
      _ = try Socket.listening(on: Loopback.address(of: first), backlog: 1)
    }
    #expect(error?.code == EADDRINUSE)
  }

  @Test func aListenerHasNoPeerAndNothingToAccept() throws {
    let listener = try Loopback.listener()
    #expect(listener.peerAddress == "a closed connection")
    #expect(try listener.accept() == nil)
  }

  @Test func anyIPv6TakesIPv4Too() async throws {
    try await onExecutor {
      guard let listener = try listeningEverywhere() else { return }
      let client = try Socket.connecting(to: Loopback.address(of: listener))
      try await listener.waitForConnection().check()
      let accepted = try listener.accept()?.peerAddress
      #expect(accepted == client.localAddress)
    }
  }

  /// Nil where the kernel has no IPv6.
  private func listeningEverywhere() throws(SystemError) -> Socket? {
    do throws(SystemError) {
      return try Socket.listening(on: SocketAddress(ListenAddress.port(0)), backlog: 4)
    } catch  where error.isUnsupportedFamily {
      return nil
    }
  }

  @Test func bytesGoBothWays() async throws {
    try await onExecutor {
      let pair = try await Loopback.pair()
      let near = pair.near.take()
      let far = pair.far.take()
      #expect(try receive(far) == nil)
      #expect(try near.send("ab".utf8.span.bytes) == .moved(2))
      await waitReadable(far)
      #expect(try far.peek() == .moved(1))
      #expect(try receive(far, bytesMax: 1) == Array("a".utf8))
      #expect(try receive(far) == Array("b".utf8))
      #expect(try far.peek() == .wouldBlock)
      #expect(try far.send("c".utf8.span.bytes, more: false) == .moved(1))
      await waitReadable(near)
      #expect(try receive(near) == Array("c".utf8))
    }
  }

  @Test(arguments: [("head", "body"), ("", "body"), ("head", "")])
  func twoPiecesArriveAsOne(head: String, body: String) async throws {
    try await onExecutor {
      let pair = try await Loopback.pair()
      let near = pair.near.take()
      let far = pair.far.take()
      let sent = try near.send(head.utf8.span.bytes, body.utf8.span.bytes)
      #expect(sent == .moved(head.utf8.count + body.utf8.count))
      await waitReadable(far)
      #expect(try receive(far) == Array((head + body).utf8))
    }
  }

  @Test func whatIsHeldBackArrivesWithTheRest() async throws {
    try await onExecutor {
      let pair = try await Loopback.pair()
      let near = pair.near.take()
      let far = pair.far.take()
      _ = try near.send("ab".utf8.span.bytes, more: true)
      _ = try near.send("cd".utf8.span.bytes)
      await waitReadable(far)
      #expect(try receive(far) == Array("abcd".utf8))
    }
  }

  @Test func bytesCanBeDiscarded() async throws {
    try await onExecutor {
      let pair = try await Loopback.pair()
      let near = pair.near.take()
      let far = pair.far.take()
      #expect(try far.discard(bytesMax: 3) == .wouldBlock)
      _ = try near.send("abcde".utf8.span.bytes)
      try near.shutdownSending()
      await waitReadable(far)
      #expect(try far.discard(bytesMax: 3) == .moved(3))
      #expect(try receive(far) == Array("de".utf8))
      await waitReadable(far)
      #expect(try far.discard(bytesMax: 3) == .end)
    }
  }

  @Test func halfAConnectionCanBeClosed() async throws {
    try await onExecutor {
      let pair = try await Loopback.pair()
      let near = pair.near.take()
      let far = pair.far.take()
      try near.shutdownSending()
      await waitReadable(far)
      #expect(try far.peek() == .end)
      #expect(try receive(far) == [])
      _ = try far.send("late".utf8.span.bytes)
      await waitReadable(near)
      #expect(try receive(near) == Array("late".utf8))
    }
  }

  @Test func aResetIsAnErrorAndNoEnd() async throws {
    try await onExecutor {
      let pair = try await Loopback.pair()
      let far = pair.far.take()
      reset(pair.near.take())
      await waitReadable(far)
      let error = #expect(throws: SystemError.self) { try receive(far) }
      #expect(error == SystemError(call: "recv", code: ECONNRESET))
    }
  }

  private func reset(_ socket: consuming Socket) { socket.setResetOnClose(true) }

  @Test func sendingToAClosedConnectionRaisesNoSignal() async throws {
    try await onExecutor {
      let pair = try await Loopback.pair()
      let far = pair.far.take()
      reset(pair.near.take())
      await waitReadable(far)
      _ = try? receive(far)
      let error = #expect(throws: SystemError.self) { try far.send("x".utf8.span.bytes) }
      #expect(error == SystemError(call: "send", code: EPIPE))
      let errorOfTwo = #expect(throws: SystemError.self) { try far.send("x".utf8.span.bytes, "y".utf8.span.bytes) }
      #expect(errorOfTwo == SystemError(call: "sendmsg", code: EPIPE))
    }
  }

  @Test func filesAreSentFromAnyOffset() async throws {
    let temporary = try TemporaryDirectory()
    try await onExecutor {
      let file = try Directory(path: temporary.path).createFile("file")
      try file.write("0123456789".utf8.span.bytes, at: 0)
      let pair = try await Loopback.pair()
      let near = pair.near.take()
      let far = pair.far.take()
      var offset = 2
      #expect(try near.send(file: file, at: &offset, bytesMax: 3) == .moved(3))
      #expect(offset == 5)
      await waitReadable(far)
      #expect(try receive(far) == Array("234".utf8))
      #expect(try near.send(file: file, at: &offset, bytesMax: 100) == .moved(5))
      #expect(try near.send(file: file, at: &offset, bytesMax: 100) == .end)
      #expect(offset == 10)
      await waitReadable(far)
      #expect(try receive(far) == Array("56789".utf8))
    }
  }

  @Test func aRefusedConnectionIsTold() async throws {
    try await onExecutor {
      let code = try await connectionError(of: Loopback.refusingAddress())
      #expect(code == ECONNREFUSED)
    }
  }

  /// The kernel may refuse a loopback connection within the call that asks for it, or after.
  private func connectionError(of address: SocketAddress) async throws(SystemError) -> CInt? {
    do throws(SystemError) {
      let socket = try Socket.connecting(to: address)
      _ = await IOExecutor.current.wait(for: .writable(socket.descriptor), until: nil)
      return try socket.connectionError()?.code
    } catch  where error.call == "connect" {
      return error.code
    }
  }

  @Test func aConnectionThatStandsHasNoError() async throws {
    try await onExecutor {
      let pair = try await Loopback.pair()
      let near = pair.near.take()
      #expect(try near.connectionError() == nil)
    }
  }
}
