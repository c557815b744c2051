#!/usr/bin/env python3
"""Checks that no fault is left that somebody planted to see a test fail: such a line says so by the word RED in a comment of its own.

usage: planted_faults.py ROOT
"""
import pathlib
import re
import sys

FOLDERS = ("demo", "loadtest", "observability", "protos", "server", "storage", "tests", "tools")
SOURCES = {".cc", ".h", ".proto", ".py", ".cmake", ".dialogue"}
PLANTED = re.compile(r"(//|#) ?RED\b")


def source_files(root):
    for folder in FOLDERS:
        yield from sorted(path for path in (root / folder).rglob("*") if path.suffix in SOURCES or path.name == "CMakeLists.txt")


def main():
    root = pathlib.Path(sys.argv[1])
    planted = [f"{path.relative_to(root)}:{number}: a planted fault: {line.strip()}"
               for path in source_files(root)
               for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if PLANTED.search(line)]
    print("\n".join(planted) or "no planted fault")
    return 1 if planted else 0


if __name__ == "__main__":
    sys.exit(main())
