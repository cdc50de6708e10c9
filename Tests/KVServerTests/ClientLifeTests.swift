import KVDialect
import Testing

@testable import KVServer

@Suite struct ClientLifeTests {
  private static func http(keepsAlive: Bool = true, headOnly: Bool = false) -> ClientLife.Exchange {
    ClientLife.Exchange(dialect: .http, keepsAlive: keepsAlive, wantsHeadOnly: headOnly)
  }

  @Test func aClassicConnectionServesOneRequest() {
    var life = ClientLife()
    let recognised = life.recognised(.classic)
    life.asked(ClientLife.Exchange(dialect: .classic))
    let answer = life.answers(isBodyRead: true, isFollowed: false)
    let sent = life.sent()
    let (isOpen, ending) = (life.isOpen, life.ending)
    // Until the answer is out, whatever ends the connection resets it.
    #expect(recognised == nil)
    #expect(answer.dialect == .classic)
    #expect(sent == .setResetOnClose(false))
    #expect(!isOpen && ending == .inOrder)
  }

  @Test func anHTTPConnectionGoesOn() {
    var life = ClientLife()
    let recognised = [life.recognised(.http), life.recognised(.http)]
    #expect(recognised == [.setResetOnClose(false), nil])
    for _ in 0..<3 {
      life.asked(Self.http())
      _ = life.answers(isBodyRead: true, isFollowed: false)
      let (sent, isOpen) = (life.sent(), life.isOpen)
      #expect(sent == nil)
      #expect(isOpen)
    }
  }

  /// However the empty lines come, each counts.
  @Test func forgivesTwoEmptyLinesBeforeEachRequest() {
    var life = ClientLife()
    _ = life.recognised(.http)
    for _ in 0..<2 {
      let forgiven = [life.forgivesEmptyLine(), life.forgivesEmptyLine(), life.forgivesEmptyLine()]
      #expect(forgiven == [true, true, false])
      life.asked(Self.http())
      _ = life.answers(isBodyRead: true, isFollowed: false)
    }
  }

  @Test(arguments: [(true, true, true), (true, false, false), (false, true, false)])
  func goesOnOnlyIfTheClientWantsAndTheBodyWasRead(keepsAlive: Bool, isBodyRead: Bool, isOpen: Bool) {
    var life = ClientLife()
    _ = life.recognised(.http)
    life.asked(Self.http(keepsAlive: keepsAlive))
    let answer = life.answers(isBodyRead: isBodyRead, isFollowed: false)
    let isOpenThen = life.isOpen
    #expect(answer.keepsAlive == isOpen)
    #expect(isOpenThen == isOpen)
  }

  @Test func aValueThatIsNotWholeEndsInAReset() {
    var life = ClientLife()
    _ = life.recognised(.http)
    life.asked(Self.http())
    _ = life.answers(isBodyRead: true, isFollowed: true)
    let begun = life.sent()
    life.abandon()
    let (isOpen, ending) = (life.isOpen, life.ending)
    #expect(begun == .setResetOnClose(true))
    #expect(!isOpen && ending == .byReset)
  }

  @Test func aWholeValueEndsCleanly() {
    var life = ClientLife()
    _ = life.recognised(.http)
    life.asked(Self.http())
    _ = life.answers(isBodyRead: true, isFollowed: true)
    let actions = [life.sent(), life.sentValue(), life.sentValue()]
    let isOpen = life.isOpen
    #expect(actions == [.setResetOnClose(true), .setResetOnClose(false), nil])
    #expect(isOpen)
  }

  @Test func aHeadAloneIsFollowedByNothing() {
    var life = ClientLife()
    _ = life.recognised(.http)
    life.asked(Self.http(headOnly: true))
    _ = life.answers(isBodyRead: true, isFollowed: true)
    let (sent, isOpen) = (life.sent(), life.isOpen)
    #expect(sent == nil)
    #expect(isOpen)
  }

  @Test func aRefusalCloses() {
    var life = ClientLife()
    _ = life.recognised(.http)
    life.asked(Self.http())
    life.closeAfterAnswer()
    let answer = life.answers(isBodyRead: true, isFollowed: false)
    let (isOpen, ending) = (life.isOpen, life.ending)
    #expect(!answer.keepsAlive)
    #expect(!isOpen && ending == .inOrder)
  }

  @Test func nonsenseIsAnsweredAndCloses() {
    var life = ClientLife()
    life.askedNonsense()
    let answer = life.answers(isBodyRead: true, isFollowed: false)
    let isOpen = life.isOpen
    #expect(answer == ClientLife.Exchange(dialect: .classic))
    #expect(!isOpen)
  }

  @Test func whoAskedForNothingTakesNothingForAnAnswer() {
    var orderly = ClientLife()
    var broken = ClientLife()
    let actions = [orderly.left(inOrder: true), broken.left(inOrder: false)]
    #expect(actions == [.setResetOnClose(false), nil])
    let endings = [orderly.ending, broken.ending]
    #expect(endings == [.atOnce, .atOnce])
  }

  @Test func aValueIsInvitedOnce() {
    var life = ClientLife()
    _ = life.recognised(.http)
    life.asked(ClientLife.Exchange(dialect: .http, keepsAlive: true, awaitsContinue: true))
    let invited = [life.welcomed(), life.welcomed()]
    #expect(invited == [true, false])
  }
}
