#!/usr/bin/env python3
"""Checks the public contract, protos/caresync/v1/, for what holds of all of it:

- its package is caresync.v1;
- an enum's zero is ..._UNSPECIFIED;
- an instant is a google.protobuf.Timestamp named ..._time;
- a call ListX takes page_size and page_token, and its response gives next_page_token;
- every service says what it is for, and every stream what goes over it.

usage: contract.py ROOT
"""
import pathlib
import re
import sys

# What the phone's system says, not an instant of ours: named after the policy that it belongs to.
NOT_NAMED_TIME = {"earliest_next_sync"}
TIMESTAMP = re.compile(r"^\s*(?:repeated |optional )?google\.protobuf\.Timestamp (\w+) = ", re.M)
LIST_CALL = re.compile(r"rpc (List\w+)\((\w+)\) returns \((\w+)\)")
TO_BE_TOLD = re.compile(r"^\s*(?:service \w+ \{|rpc \w+\(.*\bstream\b.*)$")


def message(text, name):
    found = re.search(rf"^message {name} \{{\n(.*?)^\}}", text, re.M | re.S)
    return found[1] if found else ""


def faults(text):
    if "\npackage caresync.v1;\n" not in text:
        yield "is not of the package caresync.v1"
    for name, body in re.findall(r"enum (\w+) \{\n(.*?)\}", text, re.S):
        if not re.search(r"^\s*\w+_UNSPECIFIED = 0;", body, re.M):
            yield f"the zero of {name} is not ..._UNSPECIFIED"
    for name in TIMESTAMP.findall(text):
        if not name.endswith("_time") and name not in NOT_NAMED_TIME:
            yield f"{name} is an instant and not named ..._time"
    for call, request, response in LIST_CALL.findall(text):
        for of, field in ((request, "int32 page_size"), (request, "string page_token"), (response, "string next_page_token")):
            if f"{field} = " not in message(text, of):
                yield f"{call}: {of} has no {field}"
    lines = text.splitlines()
    for before, line in zip(lines, lines[1:]):
        if TO_BE_TOLD.match(line) and not before.strip().startswith("//"):
            yield f"nothing is said of: {line.strip()}"


def main():
    root = pathlib.Path(sys.argv[1])
    files = sorted((root / "protos/caresync/v1").glob("*.proto"))
    wrong = [f"{file.name}: {fault}" for file in files for fault in faults(file.read_text())]
    if not files:
        wrong.append(f"{root}: no contract found")
    print("\n".join(wrong) or f"{len(files)} files of the contract: as it says of itself")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
