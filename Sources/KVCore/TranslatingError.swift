/// Runs a call and turns the error it throws into the caller's own.
///
/// With typed throws, a `do` block for each call would say the same at length, and could not initialise a
/// non-copyable constant.
@inline(__always)
public func translatingError<Result: ~Copyable, Inner: Error, Outer: Error>(
  _ translate: (Inner) -> Outer, _ call: () throws(Inner) -> Result
) throws(Outer) -> Result {
  do throws(Inner) { return try call() } catch { throw translate(error) }
}
