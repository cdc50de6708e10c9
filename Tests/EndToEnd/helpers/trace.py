#!/usr/bin/python3
"""Asserts an order of system calls: trace.py FILE PATTERN...

FILE is what `strace -f -y -o FILE` wrote. Each pattern is a regular expression that a call must match; the call must
have ended before the one that matches the next pattern began. `not PATTERN` says that no such call stands between
its neighbours. Prints the calls found.
"""
import re
import sys

CALL = re.compile(r"^(\d+)\s+(.*)$")


def calls(path):
    """(first line, last line, text) of each call, one that was interrupted by another thread's put together again."""
    open_calls, done = {}, []
    with open(path, errors="replace") as file:
        for number, line in enumerate(file):
            match = CALL.match(line.rstrip("\n"))
            if not match:
                continue
            thread, text = match.groups()
            if text.endswith("<unfinished ...>"):
                open_calls[thread] = (number, text[:-len("<unfinished ...>")].rstrip())
            elif text.startswith("<... "):
                first, beginning = open_calls.pop(thread, (number, ""))
                done.append((first, number, beginning + text.partition("resumed>")[2]))
            else:
                done.append((number, number, text))
    return sorted(done)


def find(trace, pattern, after):
    return next((call for call in trace if call[0] > after and re.search(pattern, call[2])), None)


def main():
    trace, after, forbidden = calls(sys.argv[1]), -1, []
    for pattern in sys.argv[2:]:
        if pattern.startswith("not "):
            forbidden.append(pattern[4:])
            continue
        call = find(trace, pattern, after)
        if call is None:
            print("after line %d there is no call like: %s" % (after + 1, pattern))
            for each in [c for c in trace if c[0] > after][:30]:
                print("   ", each[2])
            sys.exit(1)
        for other in forbidden:
            early = find(trace, other, after)
            if early and early[0] < call[0]:
                sys.exit("too early, before %s: %s" % (call[2], early[2]))
        print(call[2])
        after, forbidden = call[1], []


main()
