#!/usr/bin/env python3
"""Checks docs/rules.md against the tests: every sentence names at least one test, and every test that it names exists.

A sentence is a row of a table, its tests are named in the second column: `Suite.Test`, `file.dialogue: heading`, or the name of a ctest.

usage: rules.py ROOT
"""
import pathlib
import re
import sys

import listing

ROW = re.compile(r"^\| (.+?) \| (.*?) ?\|$", re.M)
HEAD = {"sentence", "---"}


def main():
    root = pathlib.Path(sys.argv[1])
    rows = [row for row in ROW.findall((root / "docs" / "rules.md").read_text()) if row[0] not in HEAD]
    tests = listing.every_test(root)
    wrong = []
    for sentence, named in rows:
        names = re.findall(r"`([^`]+)`", named)
        if not names:
            wrong.append(f"no test is named: {sentence}")
        wrong += [f"no test `{name}`: {sentence}" for name in names if name not in tests]
        if re.sub(r"`[^`]+`|[, ]", "", named):
            wrong.append(f"something else than names of tests: {sentence}")
    seen = set()
    wrong += [f"twice: {sentence}" for sentence, _ in rows if sentence in seen or seen.add(sentence)]
    if not rows:
        wrong.append("docs/rules.md: no rows found")
    print("\n".join(wrong) or f"{len(rows)} sentences, each shown by a test")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
