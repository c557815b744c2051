#!/usr/bin/env python3
"""Checks that no fault is left that somebody planted to see a test fail: such a line says so by the word RED in a comment of its own.

Bugs that are planted to measure the simulation are no such faults: server/base/planted_bug.h names them, and a build has them only where the
CMake option CARESYNC_PLANTED_BUGS is on. Each that is named has a place in the server and a name in caresync-sim, and the option is off by default.

usage: planted_faults.py ROOT
"""
import pathlib
import re
import sys

FOLDERS = ("demo", "loadtest", "observability", "protos", "server", "storage", "tests", "tools")
SOURCES = {".cc", ".h", ".proto", ".py", ".cmake", ".dialogue"}
PLANTED = re.compile(r"(//|#) ?RED\b")
BUGS = pathlib.PurePosixPath("server/base/planted_bug.h")
BUG_NAMES = pathlib.PurePosixPath("tests/simulation/planted_bugs.cc")
BUG_OPTION = pathlib.PurePosixPath("tools/cmake/caresync.cmake")
NAMED_BUG = re.compile(r"^  (k\w+),$", re.M)
ASKED_BUG = re.compile(r"HasPlantedBug\((?:\w+::)*PlantedBug::(k\w+)\)")
OPTION_OFF = re.compile(r"^option\(CARESYNC_PLANTED_BUGS .* OFF\)$", re.M)


def source_files(root):
    for folder in FOLDERS:
        yield from sorted(path for path in (root / folder).rglob("*") if path.suffix in SOURCES or path.name == "CMakeLists.txt")


def read(path):
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def wrong_bugs(root):
    """What is wrong with the bugs that the planted build has."""
    bugs = NAMED_BUG.findall(read(root / BUGS))
    asked = set()
    for path in sorted((root / "server").rglob("*.cc")) + sorted((root / "server").rglob("*.h")):
        asked.update(ASKED_BUG.findall(read(path)))
    names = read(root / BUG_NAMES)
    for bug in bugs:
        if bug not in asked:
            yield f"{BUGS}: {bug} has no place in the server"
        if f"PlantedBug::{bug}," not in names:
            yield f"{BUG_NAMES}: {bug} has no name"
    if bugs and not OPTION_OFF.search(read(root / BUG_OPTION)):
        yield f"{BUG_OPTION}: CARESYNC_PLANTED_BUGS is not off by default"


def main():
    root = pathlib.Path(sys.argv[1])
    planted = [f"{path.relative_to(root)}:{number}: a planted fault: {line.strip()}"
               for path in source_files(root)
               for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if PLANTED.search(line)]
    planted += wrong_bugs(root)
    print("\n".join(planted) or "no planted fault")
    return 1 if planted else 0


if __name__ == "__main__":
    sys.exit(main())
