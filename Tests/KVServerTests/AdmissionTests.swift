import Testing

@testable import KVServer

@Suite struct AdmissionTests {
  @Test func servesAsManyAsAllowedAndTellsTheNext() {
    let admission = Admission()
    #expect((0..<3).map { _ in admission.enter(servedMax: 3) } == [.serve, .serve, .serve])
    #expect(admission.servedCount == 3)
    #expect(admission.enter(servedMax: 3) == .refuse)
    #expect(admission.servedCount == 3)
  }

  @Test func whoeverLeavesMakesRoom() {
    let admission = Admission()
    _ = admission.enter(servedMax: 1)
    #expect(admission.enter(servedMax: 1) == .refuse)
    admission.leave(.serve)
    #expect(admission.servedCount == 0)
    #expect(admission.enter(servedMax: 1) == .serve)
  }

  @Test func refusesOnlySoManyAtOnce() {
    let admission = Admission()
    _ = admission.enter(servedMax: 1)
    var refused = 0
    while refused < 10_000, admission.enter(servedMax: 1) == .refuse { refused += 1 }
    #expect(refused == 64)
    #expect(admission.enter(servedMax: 1) == .drop)
    admission.leave(.drop)
    #expect(admission.enter(servedMax: 1) == .drop)
    admission.leave(.refuse)
    #expect(admission.enter(servedMax: 1) == .refuse)
  }

  @Test func aLowerLimitHoldsForNewcomersOnly() {
    let admission = Admission()
    for _ in 0..<5 { _ = admission.enter(servedMax: 5) }
    #expect(admission.enter(servedMax: 2) == .refuse)
    #expect(admission.servedCount == 5)
    for _ in 0..<4 { admission.leave(.serve) }
    #expect(admission.enter(servedMax: 2) == .serve)
  }

  @Test func countsAreRightUnderConcurrency() async {
    let admission = Admission()
    await withDiscardingTaskGroup { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<500 {
            let verdict = admission.enter(servedMax: 4)
            #expect(admission.servedCount <= 4)
            admission.leave(verdict)
          }
        }
      }
    }
    #expect(admission.servedCount == 0)
  }
}
