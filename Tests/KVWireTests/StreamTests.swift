import Glibc
import KVCore
import KVLinux
import Testing
import TestSupport

@testable import KVWire

@Suite(.timeLimit(.minutes(10))) struct StreamTests {
  private func reset(_ stream: consuming Stream) { stream.setResetOnClose(true) }

  private func close(_ stream: consuming Stream) {}

  @Test func fillsUpWithWhatArrives() async throws {
    try await onExecutor {
      let pair = try await Loopback.streams()
      var near = pair.near.take()
      let far = pair.far.take()
      try await far.send(Array("hello".utf8))
      #expect(try await near.fill(bytesMax: 2))
      #expect(Array(near.unread) == Array("he".utf8))
      #expect(try await near.fill(bytesMax: 100))
      #expect(Array(near.unread) == Array("hello".utf8))
      #expect(Array(near.takeUnread(1)) == Array("h".utf8))
      near.dropUnread(1)
      #expect(Array(near.takeUnread(100)) == Array("llo".utf8))
      #expect(near.unread.isEmpty)
    }
  }

  @Test func findsTheEndAfterTheLastByte() async throws {
    try await onExecutor {
      let pair = try await Loopback.streams()
      var near = pair.near.take()
      let far = pair.far.take()
      try await far.send([7])
      try far.shutdownSending()
      #expect(try await near.fill(bytesMax: 100))
      #expect(try await !near.fill(bytesMax: 100))
      #expect(Array(near.unread) == [7])
    }
  }

  @Test func aResetIsNoEnd() async throws {
    try await onExecutor {
      let pair = try await Loopback.streams()
      var near = pair.near.take()
      reset(pair.far.take())
      var caught: StreamError?
      do throws(StreamError) { _ = try await near.fill(bytesMax: 100) } catch { caught = error }
      #expect(caught == .failed(SystemError(call: "recv", code: ECONNRESET)))
    }
  }

  @Test func waitsNoLongerThanTheIdleLimitOrTheDeadline() async throws {
    try await onExecutor {
      let pair = try await Loopback.streams(idleTimeout: .milliseconds(20))
      var near = pair.near.take()
      var far = pair.far.take()
      far.idleTimeout = .seconds(3600)
      for (isNear, deadline) in [(true, nil), (false, Instant.after(.milliseconds(20))), (false, Instant.now)] {
        var caught: StreamError?
        do throws(StreamError) {
          _ = isNear ? try await near.fill(bytesMax: 1) : try await far.fill(bytesMax: 1, until: deadline)
        } catch {
          caught = error
        }
        #expect(caught == .timedOut)
      }
    }
  }

  @Test func sendingWaitsNoLongerThanTheIdleLimit() async throws {
    try await onExecutor {
      let pair = try await Loopback.streams(idleTimeout: .milliseconds(20))
      let near = pair.near.take()
      let far = pair.far.take()
      var caught: StreamError?
      while caught == nil {
        do throws(StreamError) { try await near.send([UInt8](repeating: 0, count: 1 << 24)) } catch { caught = error }
      }
      #expect(caught == .timedOut)
      #expect(far.hasArrived == true)
    }
  }

  @Test func aStoppingProcessEndsInterruptibleWaits() async throws {
    let executor = TestExecutor.make(threadCount: 1)
    try await onExecutor(executor) {
      let pair = try await Loopback.streams()
      let near = pair.near
      let waiting = Task(executorPreference: executor) { () -> StreamError? in
        var stream = near.take()
        do throws(StreamError) { _ = try await stream.fill(bytesMax: 1, interruptible: true) } catch { return error }
        return nil
      }
      await Task.yield()
      executor.interruptWaits()
      #expect(await waiting.value == .stopped)
      close(pair.far.take())
    }
  }

  @Test func aCancelledTaskStopsWaiting() async throws {
    let executor = TestExecutor.make(threadCount: 1)
    try await onExecutor(executor) {
      let pair = try await Loopback.streams()
      let near = pair.near
      let waiting = Task(executorPreference: executor) { () -> StreamError? in
        var stream = near.take()
        do throws(StreamError) { _ = try await stream.fill(bytesMax: 1) } catch { return error }
        return nil
      }
      await Task.yield()
      waiting.cancel()
      #expect(await waiting.value == .stopped)
      close(pair.far.take())
    }
  }

  @Test func passesUnreadBytesFirst() async throws {
    try await onExecutor {
      let pair = try await Loopback.streams()
      var near = pair.near.take()
      let far = pair.far.take()
      var passed: [UInt8] = []
      let consume = { (bytes: RawSpan) in passed.append(copying: bytes) }
      #expect(try near.pass(bytesMax: 100, to: consume) == .wouldBlock)
      try await far.send(Array("0123".utf8))
      #expect(try await near.fill(bytesMax: 100))
      try await far.send(Array("456".utf8))
      try await near.wait(.readable)
      #expect(try near.pass(bytesMax: 3, to: consume) == .moved(3))
      #expect(try near.pass(bytesMax: 3, to: consume) == .moved(1))
      #expect(try near.pass(bytesMax: 2, to: consume) == .moved(2))
      #expect(try near.pass(bytesMax: 2, to: consume) == .moved(1))
      try far.shutdownSending()
      try await near.wait(.readable)
      #expect(try near.pass(bytesMax: 2, to: consume) == .end)
      #expect(passed == Array("0123456".utf8))
    }
  }

  @Test func passTellsOfAReset() async throws {
    try await onExecutor {
      let pair = try await Loopback.streams()
      var near = pair.near.take()
      reset(pair.far.take())
      try await near.wait(.readable)
      var caught: StreamError?
      do throws(StreamError) {
        _ = try near.pass(bytesMax: 10) { _ in }
      } catch {
        caught = error
      }
      #expect(caught == .failed(SystemError(call: "recv", code: ECONNRESET)))
    }
  }

  @Test func sendsMoreThanTheConnectionHolds() async throws {
    try await onExecutor {
      let pair = try await Loopback.streams()
      let (near, far) = (pair.near, pair.far)
      let bytes = Loopback.bytes(32 << 20)
      let expected = Checksum()
      let received = Checksum()
      expected.update(bytes.span.bytes)
      let sending = Task(executorPreference: TestExecutor.shared) {
        let stream = near.take()
        try await stream.send(bytes)
        try stream.shutdownSending()
      }
      var stream = far.take()
      var result = TransferResult.wouldBlock
      while result != .end {
        if result == .wouldBlock { try await stream.wait(.readable) }
        result = try stream.pass(bytesMax: .max) { received.update($0) }
      }
      try await sending.value
      #expect(received.value == expected.value)
    }
  }

  @Test func sendingGoesOnOnceTheReceiverTakes() async throws {
    try await onExecutor {
      let pair = try await Loopback.streams()
      let stream = pair.near.take()
      let heldBytes = try Loopback.stuff(stream.socket)
      let restBytes = 1 << 24
      async let taken = discardAll(pair.far)
      try await stream.send([UInt8](repeating: 0x78, count: restBytes))
      try stream.shutdownSending()
      #expect(try await taken == heldBytes + restBytes)
    }
  }

  private func discardAll(_ handoff: Handoff<Stream>) async throws -> Int {
    let stream = handoff.take()
    var byteCount = 0
    while true {
      switch try stream.socket.discard(bytesMax: 1 << 20) {
      case .moved(let count): byteCount += count
      case .wouldBlock: try await stream.wait(.readable)
      case .end: return byteCount
      }
    }
  }

  @Test func sendingToAResetConnectionFails() async throws {
    try await onExecutor {
      let pair = try await Loopback.streams()
      let near = pair.near.take()
      reset(pair.far.take())
      try await near.wait(.readable)
      var caught: StreamError?
      do throws(StreamError) { try await near.send([1]) } catch { caught = error }
      #expect(caught == .failed(SystemError(call: "send", code: ECONNRESET)))
    }
  }

  @Test func sendingNothingSendsNothing() async throws {
    try await onExecutor {
      let pair = try await Loopback.streams()
      let near = pair.near.take()
      let far = pair.far.take()
      try await near.send([])
      #expect(try far.socket.peek() == .wouldBlock)
    }
  }

  @Test func knowsWhetherSomethingHasArrived() async throws {
    try await onExecutor {
      let pair = try await Loopback.streams()
      var near = pair.near.take()
      let far = pair.far.take()
      #expect(near.hasArrived == false)
      try await far.send([1])
      try await near.wait(.readable)
      #expect(near.hasArrived == true)
      #expect(try await near.fill(bytesMax: 1))
      #expect(near.hasArrived == true)
      near.dropUnread(1)
      #expect(near.hasArrived == false)
      try far.shutdownSending()
      try await near.wait(.readable)
      #expect(near.hasArrived == true)
    }
  }

  @Test func aResetHasArrived() async throws {
    try await onExecutor {
      let pair = try await Loopback.streams()
      let near = pair.near.take()
      reset(pair.far.take())
      try await near.wait(.readable)
      #expect(near.hasArrived == true)
    }
  }

  @Test(arguments: [true, false]) func waitsForEitherOfTwo(isFirst: Bool) async throws {
    try await onExecutor {
      let (first, second) = (try await Loopback.streams(), try await Loopback.streams())
      let firstNear = first.near.take()
      let secondNear = second.near.take()
      let sender = isFirst ? first.far : second.far
      async let sent: Void = sendOne(sender)
      try await firstNear.waitReadable(or: secondNear)
      #expect(firstNear.hasArrived == isFirst)
      #expect(secondNear.hasArrived == !isFirst)
      try await sent
      close((isFirst ? second.far : first.far).take())
    }
  }

  private func sendOne(_ handoff: Handoff<Stream>) async throws { try await handoff.take().send([1]) }

  @Test func aWaitToSendNoticesWhatArrives() async throws {
    try await onExecutor {
      let pair = try await Loopback.streams()
      let near = pair.near.take()
      let far = pair.far.take()
      _ = try Loopback.stuff(near.socket)
      try await far.send([1])
      try await near.wait(.readableOrWritable)
      #expect(near.hasArrived == true)
    }
  }

  @Test func connects() async throws {
    try await onExecutor {
      let listener = try Loopback.listener()
      let stream = try await Stream.connect(
        to: [try Loopback.refusingAddress(), Loopback.address(of: listener)], within: .seconds(60),
        idleTimeout: .seconds(1))
      #expect(stream.socket.peerAddress == Loopback.address(of: listener).description)
      #expect(stream.idleTimeout == .seconds(1))
      #expect(stream.unread.isEmpty)
    }
  }

  @Test func aRefusedConnectionFailsAtOnce() async throws {
    try await onExecutor {
      let address = try Loopback.refusingAddress()
      let error = await connectError([address, address], within: .seconds(3600))
      #expect(error == .failed(SystemError(call: "connect", code: ECONNREFUSED)))
    }
  }

  @Test func anAnswerThatDoesNotComeTimesOut() async throws {
    try await onExecutor {
      // The kernel drops further attempts once a listener that accepts nothing has a full queue.
      let listener = try Loopback.listener(backlog: 0)
      let address = Loopback.address(of: listener)
      var held: [Handoff<Socket>] = []
      for _ in 0..<8 { held.append(Handoff(try Socket.connecting(to: address))) }
      for addresses in [[address], [address, address]] {
        #expect(await connectError(addresses, within: .milliseconds(50)) == .timedOut)
      }
      #expect(held.count == 8)
    }
  }

  @Test func theNextAddressIsTriedWhileTheFirstIsSilent() async throws {
    try await onExecutor {
      let silent = try Loopback.listener(backlog: 0)
      let address = Loopback.address(of: silent)
      var held: [Handoff<Socket>] = []
      for _ in 0..<8 { held.append(Handoff(try Socket.connecting(to: address))) }
      let other = try Loopback.listener()
      let addresses = [address, try Loopback.refusingAddress(), Loopback.address(of: other)]
      // The first would be silent for longer than any test may take.
      let stream = try await Stream.connect(to: addresses, within: .seconds(3600), idleTimeout: .seconds(30))
      #expect(stream.peer?.description == addresses[2].description)
      #expect(held.count == 8)
    }
  }

  private func connectError(_ addresses: [SocketAddress], within timeout: Duration) async -> StreamError? {
    do throws(StreamError) {
      _ = try await Stream.connect(to: addresses, within: timeout, idleTimeout: .seconds(60))
      return nil
    } catch {
      return error
    }
  }

  @Test(
    arguments: [
      (.timedOut, "timed out"), (.stopped, "the node is stopping"),
      (.failed(SystemError(call: "recv", code: ECONNRESET)), "connection reset by peer"),
    ] as [(StreamError, String)])
  func errorsAreFewWords(error: StreamError, text: String) {
    #expect("\(error)" == text)
  }
}
