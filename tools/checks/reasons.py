#!/usr/bin/env python3
"""Checks that the table of reasons in docs/protocol.md is the one that server/base/errors.cc makes.

usage: reasons.py ROOT [--write]     --write puts the table right instead
"""
import pathlib
import re
import sys

MADE = re.compile(r'Make(?:Retryable)?\(\s*(?:absl::)?StatusCode::k(\w+),\s*"([A-Z0-9_]+)",', re.S)
WHEN = re.compile(r'absl::Status (\w+)\(')
START, END = "<!-- reasons -->\n", "<!-- end of reasons -->\n"


def code_name(camel):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", camel).upper()


def table(root):
    source = (root / "server/base/errors.cc").read_text()
    rows = sorted({(reason, code_name(code)) for code, reason in MADE.findall(source)})
    body = "".join(f"| `{reason}` | {code} |\n" for reason, code in rows)
    return "\n| reason | gRPC status |\n| --- | --- |\n" + body + "\n"


def main():
    root = pathlib.Path(sys.argv[1])
    page = root / "docs/protocol.md"
    text = page.read_text()
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    right = before + START + table(root) + END + after
    if "--write" in sys.argv:
        page.write_text(right)
        return 0
    if text != right:
        print("docs/protocol.md does not list the reasons of server/base/errors.cc; run tools/checks/reasons.py . --write")
        return 1
    print("docs/protocol.md lists every reason")
    return 0


if __name__ == "__main__":
    sys.exit(main())
