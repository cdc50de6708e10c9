import KVLinux
import Testing

@testable import KVServer

@Suite struct AdmissionTests {
  private func limits(_ clientsMax: Int, peers peersMax: Int = 2) -> Admission.Limits {
    Admission.Limits(clientsMax: clientsMax, peersMax: peersMax)
  }

  /// Places that stay taken until the array goes away.
  private final class Taken {
    let place: Place

    init?(_ place: consuming Place?) {
      guard let place else { return nil }
      self.place = place
    }
  }

  private struct NoPlace: Error {}

  private func enter(_ admission: Admission, _ limits: Admission.Limits) throws -> Place {
    guard let place = admission.enter(limits) else { throw NoPlace() }
    return place
  }

  private func hasPlace(_ admission: Admission, _ limits: Admission.Limits) -> Bool {
    Taken(admission.enter(limits)) != nil
  }

  private func isUndecided(_ taken: Taken) -> Bool { taken.place.isUndecided }

  @Test func servesAsManyAsAllowedAndAwaitsTheNextOnesRequest() throws {
    let admission = Admission()
    let taken = (0..<4).compactMap { _ in Taken(admission.enter(limits(3))) }
    #expect(taken.map(isUndecided) == [false, false, false, true])
    #expect(admission.counts == (clients: 3, peers: 0))
  }

  @Test func whoeverLeavesMakesRoom() {
    let admission = Admission()
    var first = Taken(admission.enter(limits(1)))
    #expect(first != nil)
    first = nil
    #expect(admission.servedCount == 0)
    #expect(Taken(admission.enter(limits(1))).map(isUndecided) == false)
  }

  @Test func aClientIsToldThatThereAreTooManyWhileThereAre() throws {
    let admission = Admission()
    var first = Taken(admission.enter(limits(1)))
    var second = try enter(admission, limits(1))
    #expect(first != nil)
    let isAdmittedFirst = second.settle(asPeer: false)
    first = nil
    let isAdmittedThen = second.settle(asPeer: false)
    #expect([isAdmittedFirst, isAdmittedThen] == [false, true])
    #expect(admission.counts == (clients: 1, peers: 0))
  }

  @Test func clientsDoNotShutOutOtherNodes() throws {
    let admission = Admission()
    let clients = (0..<10).compactMap { _ in Taken(admission.enter(limits(4))) }
    #expect(clients.count == 10)
    var first = try enter(admission, limits(4))
    var second = try enter(admission, limits(4))
    var third = try enter(admission, limits(4))
    let admitted = [first.settle(asPeer: true), second.settle(asPeer: true), third.settle(asPeer: true)]
    #expect(admitted == [true, true, false])
    #expect(admission.counts == (clients: 4, peers: 2))
  }

  @Test func otherNodesTakeNoPlaceOfAClient() throws {
    let admission = Admission()
    var peer = try enter(admission, limits(1))
    let isAdmitted = peer.settle(asPeer: true)
    #expect(isAdmitted)
    #expect(admission.counts == (clients: 0, peers: 1))
    let client = Taken(admission.enter(limits(1)))
    #expect(client.map(isUndecided) == false)
  }

  @Test func theNewestComerTakesThePlaceOfWhoeverHasKeptHisWaitingForLongest() throws {
    let admission = Admission()
    let client = Taken(admission.enter(limits(1)))
    var silent = (0..<32).compactMap { _ in Taken(admission.enter(limits(1))) }
    #expect(client != nil && silent.count == 32)
    // Each may come for as long as those that had to give up their places are on their way out.
    let more = (0..<32).compactMap { _ in Taken(admission.enter(limits(1))) }
    #expect(more.count == 32)
    #expect(!hasPlace(admission, limits(1)))
    silent = []
    #expect(hasPlace(admission, limits(1)))
  }

  @Test func anotherNodesConnectionTakesThePlaceOfOneThatIsIdle() throws {
    let admission = Admission()
    let client = Taken(admission.enter(limits(1)))
    var idle = try enter(admission, limits(1))
    var busy = try enter(admission, limits(1))
    var next = try enter(admission, limits(1))
    var tooMany = try enter(admission, limits(1))
    var admitted = [idle.settle(asPeer: true), busy.settle(asPeer: true)]
    idle.rest()
    admitted += [next.settle(asPeer: true), tooMany.settle(asPeer: true)]
    #expect(admitted == [true, true, true, false])
    let isStillThere = idle.settle(asPeer: true)
    #expect(!isStillThere)
    #expect(admission.counts == (clients: 1, peers: 2))
    #expect(client != nil)
  }

  @Test func aLowerLimitHoldsForNewcomersOnly() {
    let admission = Admission()
    let taken = (0..<5).compactMap { _ in Taken(admission.enter(limits(5))) }
    #expect(Taken(admission.enter(limits(2))).map(isUndecided) == true)
    #expect(admission.servedCount == 5)
    #expect(taken.count == 5)
  }

  @Test func countsAreRightUnderConcurrency() async {
    let admission = Admission()
    await withDiscardingTaskGroup { group in
      for number in 0..<8 {
        group.addTask {
          for _ in 0..<500 {
            guard var place = admission.enter(Admission.Limits(clientsMax: 4, peersMax: 2)) else { continue }
            _ = place.settle(asPeer: number % 2 == 0)
            let counts = admission.counts
            #expect(counts.clients <= 4 && counts.peers <= 2)
          }
        }
      }
    }
    #expect(admission.counts == (clients: 0, peers: 0))
  }
}
