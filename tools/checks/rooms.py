#!/usr/bin/env python3
"""Checks that includes point down the rooms only, as ARCHITECTURE.md draws them, and that generated gRPC headers stay at the edges.

usage: rooms.py ROOT
"""
import pathlib
import re
import sys

# A room may include itself, observability/, and what is listed for it.
BELOW = {
    "storage": [],
    "observability": [],
    "server/base": ["storage"],
    "server/commit": ["server/base", "storage"],
    "server/feed": ["server/commit", "server/base", "storage"],
    "server/records": ["server/feed", "server/commit", "server/base", "storage"],
}
# What leaves the server on its own account; whose it is and where it goes, it is told by those above.
BELOW["server/outbox"] = ["server/commit", "server/base", "storage"]
BELOW["server/restore"] = ["server/commit", "server/base", "storage"]
ENGINE = ["server/records", "server/feed", "server/commit", "server/base", "storage"]
BELOW["server/tenants"] = ENGINE + ["server/restore", "server/outbox"]
BELOW["server/access"] = ENGINE
# What each of this floor may know of the floor below, and of what they rest on.
BELOW["server/roster"] = ENGINE + ["server/restore", "server/tenants"]
BELOW["server/service_users"] = ENGINE + ["server/tenants"]
BELOW["server/devices"] = ENGINE + ["server/tenants", "server/outbox"]
BELOW["server/mismatch"] = ENGINE + ["server/tenants", "server/devices"]
# It reads what the rooms below keep, and puts what is to be told of it in the outbox; none of them knows of it.
BELOW["server/notifications"] = ENGINE + ["server/tenants", "server/devices", "server/mismatch", "server/outbox"]
# It asks of a visit what mismatches ask of it, and when its last change was.
BELOW["server/deliveries"] = ENGINE + ["server/tenants", "server/devices", "server/mismatch"]
BELOW["server/care_events"] = ENGINE
BELOW["server/sync"] = ENGINE + ["server/restore", "server/tenants", "server/devices", "server/mismatch", "server/deliveries"]
BELOW["server/rpc"] = ENGINE + ["server/restore", "server/tenants", "server/access", "server/roster", "server/service_users",
                                "server/devices", "server/mismatch", "server/deliveries", "server/notifications", "server/care_events", "server/sync",
                                "server/outbox"]
BELOW["server"] = BELOW["server/rpc"] + ["server/rpc"]
# The command line is a client: it needs the tokens it mints, and the mutex.
BELOW["tools/caresync"] = ["server/access", "server/base", "storage"]
# So is the fleet of the load test. What it checks the server with is its own: of the command line's it uses the reader of rotas, the
# errors of calls and the tables.
BELOW["loadtest"] = ["tools/caresync", "server/access", "server/base", "storage"]
# The server that does no work takes the settings of the real one.
BELOW["loadtest/limit"] = ["loadtest", "server/rpc", "server/base", "storage"]

INCLUDE = re.compile(r'^\s*#include\s+[<"]([^">]+)[">]', re.M)
MAY_USE_GRPC = ("server/rpc", "tools/caresync", "loadtest", "loadtest/limit", "server")


def room_of(path):
    parent = str(pathlib.PurePosixPath(path).parent)
    while parent not in ("", "."):
        if parent in BELOW:
            return parent
        parent = str(pathlib.PurePosixPath(parent).parent)
    return None


def main():
    root = pathlib.Path(sys.argv[1])
    wrong = []
    seen = 0
    for top in ("storage", "observability", "server", "tools", "loadtest"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in (".h", ".cc"):
                continue
            path = file.relative_to(root).as_posix()
            room = room_of(path)
            if room is None:
                wrong.append(f"{path}: lies in no room that tools/checks/rooms.py knows")
                continue
            seen += 1
            for include in INCLUDE.findall(file.read_text()):
                if (include.startswith("grpc") or include.endswith(".grpc.pb.h")) and room not in MAY_USE_GRPC:
                    wrong.append(f"{path}: includes {include}; gRPC stays at the edges")
                target = room_of(include)
                if target in (None, room, "observability"):
                    continue
                if target not in BELOW[room]:
                    wrong.append(f"{path}: includes {include}; {target} does not lie below {room}")
    if seen == 0:
        wrong.append(f"{root}: no source files found")
    print("\n".join(wrong) or f"{seen} files: every include points down")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
