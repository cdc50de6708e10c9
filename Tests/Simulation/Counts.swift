/// How often what happened.
struct Counts {
  enum What: Int, CaseIterable {
    case operations, gets, writes, refusals, withoutEffect, unknown, slowReads, layouts, foundings, hopelessFoundings,
      stoppedLayouts,
      wishes, reversals, syncedGroups, lessons,
      purges
    case kills, stops, powerCuts, partitions, lostMessages, lateMessages, doubledMessages, failedSyncs, lostDisks,
      restoredDisks, damages

    var word: String {
      switch self {
      case .operations: "operations"
      case .gets: "gets answered"
      case .writes: "writes done"
      case .refusals: "writes refused"
      case .withoutEffect: "operations without effect"
      case .unknown: "outcomes unknown"
      case .slowReads: "gets that needed a round"
      case .layouts: "layouts decided"
      case .foundings: "first layouts decided"
      case .hopelessFoundings: "first layouts never decided"
      case .stoppedLayouts: "layouts stopped by two lost disks"
      case .wishes: "changes wished"
      case .reversals: "changes gone back on"
      case .syncedGroups: "groups synced"
      case .lessons: "lessons"
      case .purges: "purges"
      case .kills: "kills"
      case .stops: "stops in good order"
      case .powerCuts: "power cuts"
      case .partitions: "partitions"
      case .lostMessages: "messages lost"
      case .lateMessages: "messages late"
      case .doubledMessages: "messages doubled"
      case .failedSyncs: "syncs failed"
      case .lostDisks: "disks lost"
      case .restoredDisks: "disks put back"
      case .damages: "values damaged"
      }
    }
  }

  private var numbers = Array(repeating: 0, count: What.allCases.count)

  subscript(what: What) -> Int {
    get { numbers[what.rawValue] }
    set { numbers[what.rawValue] = newValue }
  }

  mutating func add(_ other: Counts) { for place in numbers.indices { numbers[place] += other.numbers[place] } }

  mutating func add(_ operation: Operation) {
    self[.operations] += 1
    switch operation.result {
    case .found: self[.gets] += 1
    case .done: self[.writes] += 1
    case .refused: self[.refusals] += 1
    case .nothing: self[.withoutEffect] += 1
    case .unknown: self[.unknown] += 1
    }
  }
}
