#!/usr/bin/env python3
"""Checks the public contract, protos/caresync/v1/, for what holds of all of it:

- its package is caresync.v1;
- an enum's zero is ..._UNSPECIFIED;
- an instant is a google.protobuf.Timestamp named ..._time;
- a call ListX takes page_size and page_token, and its response gives next_page_token;
- a comment stands above every service, call, message, enum, value and field;
- a number once used means the same for ever, or is reserved: protos/numbers.txt lists all that were ever used.

usage: contract.py ROOT [--write]     --write adds new numbers to the list; it never takes one out, and never changes what one means
"""
import pathlib
import re
import sys

import proto_elements

# What the phone's system says, not an instant of ours: named after the policy that it belongs to.
NOT_NAMED_TIME = {"earliest_next_sync"}
TIMESTAMP = re.compile(r"^\s*(?:repeated |optional )?google\.protobuf\.Timestamp (\w+) = ", re.M)
LIST_CALL = re.compile(r"rpc (List\w+)\((\w+)\) returns \((\w+)\)")


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
    for element in proto_elements.elements(text):
        if element.what != "reserved" and not element.told:
            yield f"nothing is said of {element.what} {element.owner}.{element.name}".replace(" .", " ")


def meanings(texts):
    """{(message or enum, number): its meaning}, and the numbers that are reserved."""
    used, reserved = {}, set()
    for text in texts:
        for element in proto_elements.elements(text):
            key = (element.owner, element.number)
            if element.what == "reserved":
                reserved.add(key)
            elif element.what in ("field", "value"):
                used[key] = f"{element.type} {element.name}".strip()
    return used, reserved


# ---- The list of numbers: a line is `Message number meaning`

HEAD = """# Every number of the contract that was ever used, and what it means; made by tools/checks/contract.py --write.
# One that is used no more stays here, and is reserved in its message.
"""


def listed(text):
    rows = (line.split(" ", 2) for line in text.splitlines() if line and not line.startswith("#"))
    return {(owner, int(number)): meaning for owner, number, meaning in rows}


def list_of(known):
    return HEAD + "".join(f"{owner} {number} {meaning}\n" for (owner, number), meaning in sorted(known.items()))


def faults_of_numbers(texts, known):
    used, reserved = meanings(texts)
    for (owner, number), meaning in used.items():
        before = known.get((owner, number))
        if before is None:
            yield f"{owner} {number} is not in the list of numbers; run tools/checks/contract.py . --write"
        elif before != meaning:
            yield f"{owner} {number} meant `{before}` and cannot mean `{meaning}`; take another number, and reserve this one"
    for owner, number in set(known) - set(used) - reserved:
        yield f"{owner} {number} was used once (`{known[owner, number]}`): reserve it"
    for owner, number in reserved - set(known):
        yield f"{owner} {number} is reserved and not in the list of numbers; run tools/checks/contract.py . --write"


def with_new(texts, known):
    used, reserved = meanings(texts)
    return {**dict.fromkeys(reserved, "reserved"), **used, **known}


def main():
    root = pathlib.Path(sys.argv[1])
    files = sorted((root / "protos/caresync/v1").glob("*.proto"))
    texts = [file.read_text() for file in files]
    numbers = root / "protos/numbers.txt"
    known = listed(numbers.read_text()) if numbers.exists() else {}
    if "--write" in sys.argv:
        known = with_new(texts, known)
        numbers.write_text(list_of(known))
    wrong = [f"{file.name}: {fault}" for file, text in zip(files, texts) for fault in faults(text)]
    wrong += sorted(faults_of_numbers(texts, known))
    if not files:
        wrong.append(f"{root}: no contract found")
    print("\n".join(wrong) or f"{len(files)} files of the contract: as it says of itself")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
