"""The elements of a .proto file as this project writes them: one a line, each opening brace at the end of its line."""
import dataclasses
import re

OPENS = re.compile(r"^(message|enum|service|oneof) (\w+) \{(\})?$")
CALL = re.compile(r"^rpc (\w+)\(")
FIELD = re.compile(r"^((?:optional |repeated )?[\w.]+|map<[\w., ]+>) (\w+) = (\d+)(?: \[.*\])?;$")
VALUE = re.compile(r"^(\w+) = (\d+);$")
RESERVED = re.compile(r"^reserved (\d+(?:, \d+)*);$")


@dataclasses.dataclass(frozen=True)
class Element:
    what: str  # message, enum, service, rpc, field, value, reserved
    owner: str  # The message, enum or service that it stands in, with dots between; empty at the top.
    name: str
    type: str  # Of a field.
    number: int  # Of a field, a value, a reserved number; else 0.
    told: bool  # A comment stands above it.


def numbered(text_line, owner, told):
    """What a line inside a message or an enum gives a number to, or takes one away from."""
    if match := FIELD.match(text_line):
        return [Element("field", owner, match[2], match[1], int(match[3]), told)]
    if match := VALUE.match(text_line):
        return [Element("value", owner, match[1], "", int(match[2]), told)]
    if match := RESERVED.match(text_line):
        return [Element("reserved", owner, "", "", int(number), told) for number in match[1].split(", ")]
    return []


def elements(text):
    """Raises ValueError at a line that it cannot read, so that nothing is passed over."""
    scopes = []  # (message, enum, service or oneof; name)
    before = ""
    for line in text.splitlines():
        stripped, told = line.strip(), before.startswith("//")
        before = stripped
        owner = ".".join(name for what, name in scopes if what != "oneof")
        if match := OPENS.match(stripped):
            if match[1] != "oneof":
                yield Element(match[1], owner, match[2], "", 0, told)
            if not match[3]:
                scopes.append((match[1], match[2]))
        elif stripped == "}":
            scopes.pop()
        elif match := CALL.match(stripped):
            yield Element("rpc", owner, match[1], "", 0, told)
        elif scopes and stripped and not stripped.startswith("//"):
            found = numbered(stripped, owner, told)
            if not found:
                raise ValueError(f"cannot be read: {stripped}")
            yield from found
