#!/usr/bin/env python3
"""Checks that the README's table of what is promised, and what was measured of it, is the one of docs/performance.md.

usage: promises.py ROOT [--write]     --write puts the README's right instead
"""
import pathlib
import sys

PAGE = "docs/performance.md"
HEAD = "| what | promised | goal | measured |\n"


def split(text, name):
    """What stands before the table, the table, and what stands after it."""
    before, head, rest = text.partition(HEAD)
    if not head:
        sys.exit(f"{name} has no table that begins with {HEAD}")
    table, end, after = rest.partition("\n\n")
    return before, HEAD + table, end + after


def main():
    root = pathlib.Path(sys.argv[1])
    readme = root / "README.md"
    text = readme.read_text()
    _, right, _ = split((root / PAGE).read_text(), PAGE)
    before, table, after = split(text, "README.md")
    if "--write" in sys.argv:
        readme.write_text(before + right + after)
        return 0
    if table != right:
        print(f"README.md does not carry the table of {PAGE}; run tools/checks/promises.py . --write")
        return 1
    print(f"README.md carries the table of {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
