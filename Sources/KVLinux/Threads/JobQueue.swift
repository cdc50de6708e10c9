/// Jobs in order of arrival. Taking one moves no other: the array is compacted only when half of it is spent.
struct JobQueue {
  private var jobs: [UnownedJob] = []
  private var firstIndex = 0

  var count: Int { jobs.count - firstIndex }

  mutating func append(_ job: UnownedJob) { jobs.append(job) }

  mutating func popFirst() -> UnownedJob? {
    guard firstIndex < jobs.count else { return nil }
    let job = jobs[firstIndex]
    firstIndex += 1
    if firstIndex == jobs.count {
      jobs.removeAll(keepingCapacity: true)
      firstIndex = 0
    } else if firstIndex >= 64 && firstIndex * 2 >= jobs.count {
      jobs.removeFirst(firstIndex)
      firstIndex = 0
    }
    return job
  }
}
