import KVLinux

extension Stream {
  /// How long a closing connection may send what nobody wants before it is cut, and how long it may be silent.
  private static let lingerTimeout = Duration.seconds(30)
  private static let lingerIdleTimeout = Duration.seconds(5)
  private static let discardBytesMax = 1 << 20

  /// Closes the connection so that the other side gets all that was sent.
  ///
  /// Closing a socket with unread bytes resets it, and the other side may lose the answer: so what it still
  /// sends is read and dropped until it has closed its half too, for a limited time.
  consuming func closeInOrder() async {
    guard (try? socket.shutdownSending()) != nil else { return }
    let deadline = Instant.after(Self.lingerTimeout)
    idleTimeout = Self.lingerIdleTimeout
    while Instant.now < deadline {
      do {
        switch try socket.discard(bytesMax: Self.discardBytesMax) {
        case .end: return
        case .moved: await Task.yield()
        case .wouldBlock: try await waitReadable()
        }
      } catch {
        return
      }
    }
  }
}
