import TestSupport
import Testing

@testable import KVCore

@Suite struct ValueSizeTests {
  private func size(stated: Int?, bytesMax: Int?) throws -> ValueSize {
    var limits = Limits()
    limits.valueBytesMax = bytesMax
    let key = try Key(Array("k".utf8))
    return ValueSize(of: ValueRequest(operation: .put, key: key, body: .untilEnd, valueBytes: stated), limits: limits)
  }

  private func failure(_ check: () throws(Failure) -> Void) -> Failure? {
    do throws(Failure) { try check() } catch { return error }
    return nil
  }

  @Test func withoutLimitAndStatementEverythingIsRight() throws {
    let size = try size(stated: nil, bytesMax: nil)
    #expect(failure(size.checkStated) == nil)
    for byteCount in [0, 1, Int.max] {
      #expect(failure { () throws(Failure) in try size.check(byteCount) } == nil)
      #expect(failure { () throws(Failure) in try size.checkComplete(byteCount) } == nil)
    }
  }

  @Test(arguments: [(9, nil), (10, nil), (11, Failure.Kind.tooLarge)] as [(Int, Failure.Kind?)])
  func theLimitItselfIsAllowed(byteCount: Int, expected: Failure.Kind?) throws {
    let size = try size(stated: nil, bytesMax: 10)
    #expect(failure { () throws(Failure) in try size.check(byteCount) }?.kind == expected)
    let stated = try self.size(stated: byteCount, bytesMax: 10)
    #expect(failure(stated.checkStated)?.kind == expected)
  }

  @Test func tooLargeNamesKeyAndLimit() throws {
    let size = try size(stated: 11, bytesMax: 10)
    #expect(failure(size.checkStated)?.message == "PUT k: the value has more than 10 bytes (MaxValueSize=)")
  }

  @Test func moreThanStatedIsFoundAtOnce() throws {
    let size = try size(stated: 5, bytesMax: nil)
    #expect(failure { () throws(Failure) in try size.check(5) } == nil)
    #expect(
      failure { () throws(Failure) in try size.check(6) }
        == Failure(.badRequest, "PUT k: more than the stated 5 bytes arrived"))
  }

  @Test func fewerThanStatedIsFoundAtTheEnd() throws {
    let size = try size(stated: 5, bytesMax: nil)
    #expect(failure { () throws(Failure) in try size.check(4) } == nil)
    #expect(
      failure { () throws(Failure) in try size.checkComplete(4) }
        == Failure(.badRequest, "PUT k: only 4 of the stated 5 bytes arrived"))
    #expect(failure { () throws(Failure) in try size.checkComplete(5) } == nil)
  }

  @Test func aStatedLengthOfZeroIsALength() throws {
    let size = try size(stated: 0, bytesMax: nil)
    #expect(failure { () throws(Failure) in try size.checkComplete(0) } == nil)
    #expect(failure { () throws(Failure) in try size.check(1) }?.kind == .badRequest)
  }
}
