/// The bytes that libFuzzer made up.
package func input(_ start: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8] {
  Array(UnsafeBufferPointer(start: start, count: count))
}

/// Ends the process, which libFuzzer takes for a finding, unless the property holds.
///
/// `precondition` would do the same without the message, which optimized code does not have.
package func require(_ holds: Bool, _ property: @autoclosure () -> String) {
  if !holds { fatalError("not true: \(property())") }
}

/// What a call gives that must not fail.
package func mustSucceed<Value, Problem: Error>(
  _ property: @autoclosure () -> String, _ call: () throws(Problem) -> Value
) -> Value {
  do throws(Problem) {
    return try call()
  } catch {
    fatalError("not true: \(property()): \(error)")
  }
}
