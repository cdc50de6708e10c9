"""Prints the tests that the last column of a Markdown table names and that are not there, and ends with 1 if there are
any.

usage: named_tests.py DOCUMENT TESTS-DIRECTORY

A name is `SUITE`, or `SUITE`: TEXT, where the text is words of a test's name, with … for what is left out.
"""

import pathlib
import re
import sys

SUITE = re.compile(r"`([\w/-]+)`(:?)")


def main(document, tests):
    named = 0
    missing = []
    for number, line in enumerate(document.read_text().splitlines(), 1):
        cells = line.strip().strip("|").split("|")
        if not line.startswith("|") or cells[-1].strip() in ("test", "---"):
            continue
        suites = list(SUITE.finditer(cells[-1]))
        if not suites:
            missing.append("line %d names no test" % number)
        for suite, following in zip(suites, suites[1:] + [None]):
            named += 1
            text = cells[-1][suite.end() : following.start() if following else None] if suite[2] else ""
            missing += ["line %d: %s" % (number, what) for what in absent(tests, suite[1], text)]
    print("\n".join(missing))
    return 0 if named > 0 and not missing else 1


def absent(tests, suite, text):
    files = list(tests.glob("EndToEnd/%s.bats" % suite)) + list(tests.glob("*/%s.swift" % suite))
    if len(files) != 1:
        return ["%d files are named %s" % (len(files), suite)]
    names = [line for line in files[0].read_text().splitlines() if "@test" in line or "func " in line]
    names = "\n".join(names).replace("\\", "")
    words = (part.strip(" ,;") for part in text.split("…"))
    return ["%s has no test with '%s'" % (suite, part) for part in words if part and part not in names]


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
