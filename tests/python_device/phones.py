"""For tests: the device in Python and the one of `caresync device`, each driven by its command line against one server."""

import base64
import json
import os
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from caresync_process import CommandFailed, Server, expect  # noqa: E402, F401

DEVICE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "device.py")
CARE_EVENT, CARE_PLAN = 6, 8


class PythonPhone:
    """A device in Python, enrolled for its carers unless it is to make itself known; a folder of its own below `folder`."""

    def __init__(self, cli, folder, uuid, *carer_ids, enrolled=True):
        self.uuid, self.carer_id = uuid, carer_ids[0]
        self._folder = os.path.join(folder, "python", uuid)
        os.makedirs(self._folder)
        if enrolled:
            cli.run("device", "update", uuid, "--enrol", "--users", ",".join(carer_ids))
        self.meet(cli)

    def meet(self, cli):
        """Goes on with this server, such as one that was started again."""
        self._cli = cli
        self._server = cli.environment["CARESYNC_SERVER"]

    def _arguments(self, command, *options, carer_id=None):
        carer_id = carer_id or self.carer_id
        return [
            sys.executable, DEVICE, "--server", self._server, "--token-file",
            self._token_file(carer_id), "--state", self._folder, "--device-uuid", self.uuid, "--carer", carer_id,
            command, "--json", *options
        ]

    def _token_file(self, carer_id):
        path = os.path.join(self._folder, f"token-{carer_id}")
        if not os.path.exists(path):
            token, _ = self._cli.run("token", "--role", "carer", "--subject", carer_id, "--device", self.uuid)
            with open(path, "w", encoding="ascii") as file:
                file.write(token)
        return path

    def run(self, command, *options, status=0, carer_id=None):
        """The objects that the command prints, which is to end with `status`, or with one of several."""
        arguments = self._arguments(command, *options, carer_id=carer_id)
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
        if done.returncode not in (status if isinstance(status, tuple) else (status,)):
            raise CommandFailed(
                f"{' '.join(arguments)}: status {done.returncode}, expected {status}\n{done.stdout}{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def sync(self, *options, **more):
        return self.run("sync", *options, **more)

    def start_sync(self, *options):
        """A sync that goes on; its output is to be read line by line."""
        return subprocess.Popen(self._arguments("sync", *options), stdout=subprocess.PIPE, text=True)

    def record(self, visit, kind, *options, **more):
        """The ID of the new event."""
        return self.run("record", "--visit", visit, "--kind", kind, *options, **more)[0]["event_id"]

    def shown(self, carer_id=None):
        return self.run("show", "--payloads", carer_id=carer_id)[0]

    def held(self, carer_id=None):
        """By (kind, ID): the payload."""
        return {(r["kind"], r["record_id"]): base64.b64decode(r["payload"]) for r in self.shown(carer_id)["records"]}

    def recorded_events(self):
        """By ID: the bytes of all that was recorded here."""
        return _rows(os.path.join(self._folder, "device.sqlite3"), "SELECT event_id, event FROM event")


class CliPhone:
    """A device in the terminal, as the C++ programs are one."""

    def __init__(self, cli, folder, uuid, carer_id):
        self.uuid, self.carer_id = uuid, carer_id
        self._state = os.path.join(folder, "cli")
        self._options = ["--uuid", uuid, "--carer", carer_id, "--state-dir", self._state]
        self.meet(cli)

    def meet(self, cli):
        self._cli = cli

    def sync(self, *options, status=0):
        return self._cli.json_lines("device", "sync", *self._options, *options, status=status)

    def note(self, visit, text):
        return self._cli.json("device", "note", *self._options, visit, text)["event_id"]

    def held(self):
        """By (kind, ID): the payload. The command line shows people what it holds, so this reads its database."""
        rows = _rows(
            os.path.join(self._state, f"{self.uuid}.db"),
            "SELECT kind, record_id, payload FROM records JOIN copies USING (copy_id) WHERE carer_id = ? AND in_use = 1",
            self.carer_id)
        return {(kind, record_id): payload for kind, record_id, payload in rows}

    def recorded_events(self):
        return _rows(os.path.join(self._state, f"{self.uuid}.db"), "SELECT event_id, event FROM events")


def _rows(path, query, *values):
    expect(os.path.exists(path), f"no database at {path}")
    database = sqlite3.connect(path)
    try:
        return database.execute(query, values).fetchall()
    finally:
        database.close()


def end_of(lines):
    """How a Python device's sync ended."""
    return next(line for line in reversed(lines) if line["event"] == "end")


def of_event(lines, event):
    return [line for line in lines if line.get("event") == event]


def difference(one, other, limit=5):
    """For a message: what two copies do not have in common."""
    wrong = [key for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key)]
    return ", ".join(f"{key}: {_short(one.get(key))} and {_short(other.get(key))}"
                     for key in wrong[:limit]) + f" ({len(wrong)} differ)"


def _short(payload):
    return "absent" if payload is None else payload.hex()[:120]


def expect_same(one, other, what):
    expect(one == other, f"{what}: {difference(one, other) if one != other else ''}")
