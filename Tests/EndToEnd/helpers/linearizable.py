#!/usr/bin/python3
"""Judges histories of keys: whether an order of the operations exists that explains every answer, in which each took
effect at one moment between its call and its return.

usage: linearizable.py HISTORY            judges each key of a history; status 1 if one cannot be explained
       linearizable.py --vectors FILE     judges histories of which the verdict is known

A line of a history is an operation; times are whole numbers of one clock:

  CALL END KEY put VALUE [created|replaced]
  CALL END KEY get VALUE
  CALL END KEY delete [existed|absent]
  CALL END KEY swap EXPECTED VALUE done|refused

VALUE and EXPECTED name a value, and - is none. An END of - means that nobody knows whether it was done: then it may
have taken effect at any time since, or never will. What is known not to have been done is not written down. A vector is
a line "good TITLE" or "bad TITLE" and the history below it.

The search is that of Wing and Gong with the memory of Lowe: a set of operations and the state after them are tried but
once.
"""
import sys

NONE = "-"
UNKNOWN = None
FOREVER = float("inf")
# A key that needs more has had too many operations at a time; that is the load's fault, and no verdict.
CONFIGURATIONS_MAX = 3_000_000


class Undecided(Exception):
    """The search is too long."""


class Operation:
    __slots__ = ("call", "end", "verb", "expected", "value", "outcome", "text")

    def __init__(self, line):
        call, end, _, self.verb, *words = line.split()
        self.text = line.strip()
        self.call = int(call)
        self.end = FOREVER if end == NONE else int(end)
        self.expected = words.pop(0) if self.verb == "swap" else UNKNOWN
        self.value = words.pop(0) if self.verb in ("put", "get", "swap") else NONE
        self.outcome = words.pop(0) if words else UNKNOWN
        if words or self.verb not in ("put", "get", "delete", "swap") or self.outcome not in OUTCOMES[self.verb]:
            raise ValueError("not an operation: " + line)
        if self.end < self.call or (self.is_open and self.verb == "get"):
            raise ValueError("an operation that cannot be: " + line)
        if self.verb == "swap" and self.is_open == (self.outcome is not UNKNOWN):
            raise ValueError("a swap whose outcome is known has an end, and one has no end whose is not: " + line)

    @property
    def is_open(self):
        return self.end == FOREVER

    def follow(self, state):
        """The state after it, or UNKNOWN if its answer does not go with that state."""
        if self.verb == "get":
            return state if state == self.value else UNKNOWN
        if self.verb == "swap":
            holds = state == self.expected
            if self.outcome is not UNKNOWN and holds != (self.outcome == "done"):
                return UNKNOWN
            return self.value if holds else state
        was_there = state != NONE
        found = {"created": False, "absent": False, "replaced": True, "existed": True}.get(self.outcome, was_there)
        return self.value if found == was_there else UNKNOWN


OUTCOMES = {
    "put": (UNKNOWN, "created", "replaced"),
    "get": (UNKNOWN,),
    "delete": (UNKNOWN, "existed", "absent"),
    "swap": (UNKNOWN, "done", "refused"),
}


class Search:
    """Over one key. A configuration is the first operation that has not been placed, those placed behind it (bits from
    it on), those placed of the open ones (bits), and the state."""

    def __init__(self, operations):
        ordered = sorted(operations, key=lambda operation: operation.call)
        self.closed = [operation for operation in ordered if not operation.is_open]
        self.open = [operation for operation in ordered if operation.is_open]
        self.furthest = 0

    def succeeds(self):
        start = (0, 0, 0, NONE)
        seen, pending = {start}, [start]
        while pending:
            configuration = pending.pop()
            self.furthest = max(self.furthest, configuration[0])
            if configuration[0] == len(self.closed):
                return True
            for successor in self.successors(configuration):
                if successor not in seen:
                    seen.add(successor)
                    pending.append(successor)
            if len(seen) > CONFIGURATIONS_MAX:
                raise Undecided()
        return False

    def successors(self, configuration):
        """The most promising last, for that is tried first."""
        first, placed, opened, state = configuration
        candidates, bound = self.candidates(first, placed)
        for index, operation in enumerate(self.open):
            if operation.call <= bound and not opened >> index & 1:
                after = operation.follow(state)
                # One that changes nothing may as well never have been done.
                if after is not UNKNOWN and after != state:
                    yield first, placed, opened | 1 << index, after
        for index in reversed(candidates):
            after = self.closed[index].follow(state)
            if after is not UNKNOWN:
                yield (*self.place(first, placed, index), opened, after)

    def candidates(self, first, placed):
        """The operations that may be next: those called before the first end of all that are left."""
        bound, found, index = FOREVER, [], first
        while index < len(self.closed) and self.closed[index].call <= bound:
            if not placed >> (index - first) & 1:
                bound = min(bound, self.closed[index].end)
                found.append(index)
            index += 1
        return [index for index in found if self.closed[index].call <= bound], bound

    @staticmethod
    def place(first, placed, index):
        placed |= 1 << (index - first)
        while placed & 1:
            first, placed = first + 1, placed >> 1
        return first, placed

    def explain(self):
        """The operations around the first that could not be placed."""
        around = self.closed[max(0, self.furthest - 6):self.furthest + 6]
        return "\n".join("    " + operation.text for operation in self.open + around)


def by_key(lines):
    keys = {}
    for line in lines:
        if line.strip():
            keys.setdefault(line.split()[2], []).append(Operation(line))
    return keys


def faults(lines):
    """What is wrong with a history, a text for each key."""
    for key, operations in sorted(by_key(lines).items()):
        search = Search(operations)
        try:
            if not search.succeeds():
                yield "%s: no order explains its %d operations; near the first that has no place, behind those " \
                    "without an end:\n%s" % (key, len(operations), search.explain())
        except Undecided:
            yield "%s: its %d operations, %d without an end, are too many at a time to be judged" % (
                key, len(operations), len(search.open))


def judge(path):
    with open(path) as file:
        lines = file.readlines()
    found = list(faults(lines))
    print("%d operations on %d keys, %d of them at fault" % (len(lines), len(by_key(lines)), len(found)))
    print("\n".join(found))
    return not found


def judge_vectors(path):
    vectors = []
    with open(path) as file:
        for line in file:
            verdict, _, title = line.strip().partition(" ")
            if verdict in ("good", "bad"):
                vectors.append((verdict, title, []))
            elif line.strip() and not line.startswith("#"):
                vectors[-1][2].append(line)
    wrong = [title for verdict, title, lines in vectors if (verdict == "good") == bool(list(faults(lines)))]
    counts = [sum(1 for vector in vectors if vector[0] == verdict) for verdict in ("good", "bad")]
    print("%d good and %d bad histories, %d judged wrong" % (*counts, len(wrong)))
    print("\n".join(wrong))
    return not wrong and min(counts) > 0


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--vectors":
        sys.exit(0 if judge_vectors(sys.argv[2]) else 1)
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(0 if judge(sys.argv[1]) else 1)


if __name__ == "__main__":
    main()
