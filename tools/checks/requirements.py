#!/usr/bin/env python3
"""Checks docs/requirements.md against the tests.

Every ID that the document calls built names at least one test; every test named there exists and carries the ID in a line
`Requirement: <IDs>` directly above it; every ID in such a line is one that the document calls built.

usage: requirements.py ROOT
"""
import pathlib
import re
import sys

import listing

ROW = re.compile(r"^\| ([A-Z]\d+) \| (.*?) \| (built|later) \| (.*?) \|$", re.M)
MARK = re.compile(r"((?:^\s*(?://|#) Requirement: [A-Z0-9, ]+\n)+)\s*" + listing.HEAD, re.M)


def marked_tests(root):
    """{test name: set of IDs}"""
    found = {}
    for file in listing.test_files(root):
        for marks, *head in MARK.findall(file.read_text()):
            found.setdefault(listing.name_of(*head), set()).update(re.findall(r"[A-Z]\d+", marks))
    return found


def main():
    root = pathlib.Path(sys.argv[1])
    rows = ROW.findall((root / "docs" / "requirements.md").read_text())
    tests = marked_tests(root)
    wrong = []
    built = set()
    for identifier, _, state, named in rows:
        names = re.findall(r"`([^`]+)`", named)
        if state == "later":
            if names:
                wrong.append(f"{identifier}: is called later, yet names tests")
            continue
        built.add(identifier)
        if not names:
            wrong.append(f"{identifier}: is called built, and no test is named")
        for name in names:
            if identifier not in tests.get(name, set()):
                wrong.append(f"{identifier}: no test `{name}` that says 'Requirement: {identifier}'")
    for name, identifiers in sorted(tests.items()):
        for identifier in sorted(identifiers - built):
            wrong.append(f"test {name}: carries {identifier}, which docs/requirements.md does not call built")
    if not rows:
        wrong.append("docs/requirements.md: no rows found")
    print("\n".join(wrong) or f"{len(built)} requirements built, each shown by a test; {len(rows) - len(built)} later")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
