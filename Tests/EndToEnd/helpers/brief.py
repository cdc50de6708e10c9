#!/usr/bin/python3
"""Says in a line how each suite went, and all of what failed: bats --formatter cat --timing ... 2>&1 | brief.py FILE

Everything that comes goes to the file. Ends with status 1 if a suite had no test or fewer were run than were planned,
which is no failure of a test, and need be none of bats.
"""
import collections
import os
import re
import sys
import time

TAIL_LINES = 20
RESULT = re.compile(r"^(not )?ok \d+ .*?( # skip\b.*)?$")
PLAN = re.compile(r"^1\.\.(\d+)$")


def say(line):
    print(line, flush=True)


class Suite:
    def __init__(self, path):
        self.name = os.path.basename(path).removesuffix(".bats")
        self.start = time.monotonic()
        self.counts = collections.Counter()

    def tell(self):
        """Whether it went well."""
        good = self.counts["passed"] + self.counts["skipped"] > 0 and self.counts["failed"] == 0
        facts = ["%d passed" % self.counts["passed"]]
        facts += ["%d %s" % (self.counts[kind], kind) for kind in ("failed", "skipped") if self.counts[kind]]
        seconds = time.monotonic() - self.start
        say("%-4s %-16s  %s, %.0f s" % ("ok" if good else "FAIL", self.name, ", ".join(facts), seconds))
        return good


class Report:
    def __init__(self):
        self.suites, self.planned, self.complete = [], None, True
        # What the test that runs has said by itself, and whether the last one that ended has failed.
        self.said, self.has_failed = [], False
        self.tail = collections.deque(maxlen=TAIL_LINES)

    def take(self, line):
        self.tail.append(line)
        result, plan = RESULT.match(line), PLAN.match(line)
        if plan and self.planned is None:
            self.planned = int(plan[1])
        elif line.startswith("suite ") and self.planned is not None:
            self.end_suite()
            self.suites.append(Suite(line.removeprefix("suite ")))
        elif line.startswith("begin ") and self.suites:
            self.said, self.has_failed = [], False
        elif result and self.suites:
            self.take_result(line, "failed" if result[1] else "skipped" if result[2] else "passed")
        elif self.has_failed or line.startswith("# bats warning: "):
            say(line)
        else:
            self.said.append(line)

    def take_result(self, line, kind):
        self.suites[-1].counts[kind] += 1
        self.has_failed = kind == "failed"
        if self.has_failed:
            for each in [line] + self.said:
                say(each)
        self.said = []

    def end_suite(self):
        if self.suites and not self.suites[-1].tell() and not self.suites[-1].counts["failed"]:
            self.complete = False
        self.said, self.has_failed = [], False

    def end(self):
        """Whether all that was planned has been run."""
        self.end_suite()
        run = sum(sum(suite.counts.values()) for suite in self.suites)
        self.complete = self.complete and run >= (self.planned or 0)
        if not self.suites or not self.complete:
            # Whatever kept the suites from running has said so last.
            say("the last lines of it all:")
            for line in self.tail:
                say(line)
        return self.complete


def main():
    report = Report()
    with open(sys.argv[1], "w") as file:
        for line in open(sys.stdin.fileno(), errors="replace"):
            file.write(line)
            file.flush()
            report.take(line.rstrip("\n"))
    sys.exit(0 if report.end() else 1)


main()
