import HeapModule

/// What is still to happen in a world, and when.
struct Agenda {
  enum Event {
    case any(() -> Void)
    /// Something that a process does, if it is still the same one.
    case process(Host, boot: Int, () -> Void)
    case parcel(Parcel)
  }

  /// Where an event lies. What moves about in the heap has no references to count.
  private struct Entry: Comparable {
    let time: Double
    let number: Int
    let place: Int

    static func == (left: Entry, right: Entry) -> Bool { left.number == right.number }
    static func < (left: Entry, right: Entry) -> Bool {
      left.time < right.time || (left.time == right.time && left.number < right.number)
    }
  }

  private var entries = Heap<Entry>()
  private var events: [Event?] = []
  private var freePlaces: [Int] = []
  private var lastNumber = 0

  mutating func add(_ event: Event, at time: Double) {
    lastNumber += 1
    if let place = freePlaces.popLast() {
      events[place] = event
      entries.insert(Entry(time: time, number: lastNumber, place: place))
    } else {
      entries.insert(Entry(time: time, number: lastNumber, place: events.count))
      events.append(event)
    }
  }

  /// What happens next: of two at one time, what was added first.
  mutating func next() -> (time: Double, event: Event)? {
    guard let entry = entries.popMin(), let event = events[entry.place].take() else { return nil }
    freePlaces.append(entry.place)
    return (entry.time, event)
  }
}
