"""`caresync check-client`: the command line's own device keeps every rule; devices that do not are told by which; wrong use is told by name."""

import argparse
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile

from caresync_process import expect

HERE = pathlib.Path(__file__).resolve().parent
# For what only hangs where something is wrong.
PATIENCE = "60"
# For what never comes.
SHORT = "20"


class Checker:
    """The command, in an environment without the variables of any server."""

    def __init__(self, bin_dir):
        self.program = os.path.join(bin_dir, "caresync")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("CARESYNC_")}
        self.own_device = shlex.join([sys.executable, str(HERE / "checked_device.py"), self.program])

    def run(self, *arguments, status=0):
        done = subprocess.run([self.program, "check-client", *arguments], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, env=self.environment, timeout=900)
        expect(done.returncode == status,
               f"check-client {arguments}: status {done.returncode}, expected {status}\n{done.stdout}{done.stderr}")
        return done.stdout, done.stderr

    def json_lines(self, *arguments, status=0):
        output, _ = self.run(*arguments, "--json", status=status)
        return [json.loads(line) for line in output.splitlines()]


def check_own_device(checker):
    lines = checker.json_lines("--device-command", checker.own_device, "--timeout", PATIENCE)
    played = [line for line in lines if line["event"] == "scenario"]
    listed = [line["scenario"] for line in checker.json_lines("--list") if "scenario" in line]
    expect([line["scenario"] for line in played] == listed and len(listed) >= 30, "not every scenario was played")
    summary = lines[-1]
    expect(summary == {"event": "summary", "scenarios": len(listed), "passed": len(listed), "broken_rules": []}, summary)


def check_broken_devices(checker):
    """Commands that are no good client, each caught by the name of a rule."""
    forgets = f"rm -rf \"$CARESYNC_CHECK_STATE_DIR\"/*; {checker.own_device}"
    level = f"CARESYNC_CHECK_DATA_LEVEL=2 {checker.own_device}"
    standard = f"CARESYNC_CHECK_SYNC_TYPE=STANDARD {checker.own_device}"
    one_event = f"[ $CARESYNC_CHECK_STEP = sync ] || export CARESYNC_CHECK_RECORD_EVENTS=1; {checker.own_device}"
    leaves = f"CARESYNC_CHECK_FOLLOW=0 {checker.own_device}"
    for command, scenario, rule in ((("true"), "first_copy", "START_FIRST"),
                                    (forgets, "delta", "TOKEN_LAST_APPLIED"),
                                    (forgets, "killed_after_ack", "TOKEN_DURABLE"),
                                    (level, "data_level", "DATA_LEVEL"),
                                    (standard, "clean", "START_FIELDS"),
                                    (one_event, "upload_cut", "EVENT_KEPT"),
                                    (leaves, "follow", "FOLLOW_STAYS")):
        lines = checker.json_lines("--device-command", command, "--scenario", scenario, "--timeout", SHORT, status=1)
        broken = [finding["rule"] for line in lines if line["event"] == "scenario" for finding in line["broken"]]
        expect(rule in broken, f"{command}: {scenario} told {broken}, not {rule}: {lines}")
        expect(lines[-1]["passed"] == 0 and rule in lines[-1]["broken_rules"], lines[-1])


def check_what_people_read(checker):
    output, _ = checker.run("--device-command", "echo a word of the device; exit 3", "--scenario", "clean", status=1)
    for part in ("BROKEN  clean: ", "START_FIRST: `start` comes first", "docs/protocol.md, \"A sync\"", "exit status 3",
                 "a word of the device", "0 of 1 scenarios passed; rules broken: START_FIRST"):
        expect(part in output, f"{part!r} is missing in {output}")


def free_address():
    """A port that is free now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


def check_by_hand(checker):
    """What a person is told, done by this script; the server listens where it is told to."""
    listen = free_address()
    with tempfile.TemporaryDirectory() as state:
        process = subprocess.Popen([checker.program, "check-client", "--scenario", "upload_results", "--timeout", PATIENCE,
                                    "--listen", listen],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=checker.environment)
        address = None
        lines = []
        told = {"TENANT": "check", "TOKEN": "any", "STATE_DIR": state, "FOLLOW": "0", "DATA_LEVEL": "2",
                "DEVICE_UUID": "5e000000-0000-4000-8000-000000000077"}
        for line in process.stdout:
            lines.append(line)
            if match := re.search(r"listening on (\S+)", line):
                address = match.group(1)
            step = dict(told, ADDR=address or "")
            if match := re.search(r"sync as carer (\S+) .*SYNC_TYPE_(\w+)", line):
                step |= {"STEP": "sync", "CARER_ID": match.group(1), "SYNC_TYPE": match.group(2)}
            elif match := re.search(r"as carer (\S+) .*record (\d+) note\(s\) on the visit (\S+)", line):
                step |= {"STEP": "record", "CARER_ID": match.group(1), "RECORD_EVENTS": match.group(2),
                         "VISIT_ID": match.group(3)}
            else:
                continue
            environment = checker.environment | {f"CARESYNC_CHECK_{name}": value for name, value in step.items()}
            subprocess.run(checker.own_device, shell=True, env=environment, stdout=subprocess.DEVNULL, timeout=300)
            if step["STEP"] == "record":
                process.stdin.write("\n")
                process.stdin.flush()
        expect(address == listen, f"--listen {listen}, and it listens on {address}")
        expect(process.wait(timeout=60) == 0 and "1 of 1 scenarios passed" in lines[-1], "".join(lines))


def check_app_without_care_plans(checker):
    """At level 1 it passes what there is for it; that it is taken for one of level 2 is told."""
    level = f"CARESYNC_CHECK_DATA_LEVEL=1 {checker.own_device}"
    scenarios = [part for name in ("first_copy", "payload_bytes") for part in ("--scenario", name)]
    lines = checker.json_lines("--device-command", level, "--data-level", "1", "--timeout", PATIENCE, *scenarios)
    expect(lines[-1]["passed"] == 2, lines)
    lines = checker.json_lines("--device-command", level, "--timeout", PATIENCE, *scenarios, status=1)
    expect(lines[-1]["broken_rules"] == ["DATA_LEVEL"], lines[-1])


def is_running(process):
    try:
        with open(f"/proc/{process}/stat") as stat:
            # A zombie is left to whoever reaps it.
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def check_ctrl_c(checker):
    """Nothing is left: no process, no folder."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as elsewhere:
        pipe = os.path.join(elsewhere, "pipe")
        os.mkfifo(pipe)
        device = f"echo $$ > {shlex.quote(pipe)}; exec sleep 600"
        process = subprocess.Popen([checker.program, "check-client", "--device-command", device, "--scenario", "clean"],
                                   stdout=subprocess.DEVNULL, env=checker.environment | {"TMPDIR": folder})
        with open(pipe) as told:
            device_process = int(told.readline())
        expect(is_running(device_process) and os.listdir(folder), "the device does not run")
        process.send_signal(signal.SIGINT)
        status = process.wait(timeout=60)
        expect(status == 130, f"status {status} after Ctrl-C")
        expect(not is_running(device_process), "the device still runs")
        expect(os.listdir(folder) == [], os.listdir(folder))


def check_wrong_use(checker):
    def error(*arguments, status):
        return checker.json_lines(*arguments, status=status)[-1]["error"]["reason"]

    device = ["--device-command", "true"]
    expect(error(*device, "--scenario", "no_such_scenario", status=2) == "SCENARIO_UNKNOWN", "an unknown scenario")
    for listen in ("nowhere", "127.0.0.1", "127.0.0.1:", "127.0.0.1:seven", "127.0.0.1:70000", ":7444"):
        expect(error(*device, "--listen", listen, status=2) == "USAGE", f"--listen {listen}")
    for timeout in ("0", "-1", "soon"):
        expect(error(*device, "--timeout", timeout, status=2) == "USAGE", f"--timeout {timeout}")
    for level in ("0", "3", "all"):
        expect(error(*device, "--data-level", level, status=2) == "USAGE", f"--data-level {level}")
    expect(error(*device, "--data-level", "1", "--scenario", "data_level", status=2) == "USAGE", "data_level for level 1")
    expect(error("--scenario", "clean", status=2) == "USAGE", "--json by hand")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        expect(error(*device, "--listen", address, status=2) == "CANNOT_LISTEN", "a port that is taken")
        _, told = checker.run(*device, "--listen", address, status=2)
        expect("CANNOT_LISTEN: cannot listen on " + address in told, told)


def check_documents(checker):
    """Every rule and scenario stands in docs/check_client.md, every section in docs/protocol.md."""
    docs = HERE.parent.parent / "docs"
    page = (docs / "check_client.md").read_text()
    headings = {re.sub(r"^#+ ", "", line) for line in (docs / "protocol.md").read_text().splitlines()
                if line.startswith("#")}
    shown = set()
    rules = {}
    for line in checker.json_lines("--list"):
        if "rule" in line:
            rules[line["rule"]] = line
        else:
            shown |= set(line["rules"])
            expect(f"`{line['scenario']}`" in page, f"docs/check_client.md does not name the scenario {line['scenario']}")
    for name, rule in rules.items():
        expect(f"| `{name}` | {rule['section']} | {rule['text']} |" in page, f"docs/check_client.md does not have {rule}")
        expect(rule["section"] in headings, f"docs/protocol.md has no section {rule['section']!r}")
    # The others are looked at in every scenario.
    always = {"TOKEN_BYTES", "AUTHORIZATION", "START_FIRST", "START_FIELDS", "UNSENT_DECLARED", "ACK_OF_WHAT_CAME",
              "CAUGHT_UP_ACKED", "STAYS_UNTIL_RECORDED", "HOLDS_IN_START", "ONE_STREAM", "EVENT_ID", "EVENT_CONTENT",
              "EVENT_SEQUENCE", "EVENT_ORDER"}
    missing = set(rules) - shown - always
    expect(not missing, f"no scenario shows {missing}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True)
    checker = Checker(parser.parse_args().bin_dir)
    check_documents(checker)
    check_wrong_use(checker)
    check_what_people_read(checker)
    check_broken_devices(checker)
    check_app_without_care_plans(checker)
    check_ctrl_c(checker)
    check_by_hand(checker)
    check_own_device(checker)
    print("the device keeps every rule")


if __name__ == "__main__":
    main()
