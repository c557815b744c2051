"""The command line's own device as `caresync check-client --device-command` runs it: one step, told by the environment.

usage: checked_device.py CARESYNC      where CARESYNC is the program
"""

import os
import subprocess
import sys


def main():
    program = sys.argv[1]
    told = {name[len("CARESYNC_CHECK_"):]: value for name, value in os.environ.items()
            if name.startswith("CARESYNC_CHECK_")}
    common = [program, "--server", told["ADDR"], "--token", told["TOKEN"], "--tenant", told["TENANT"], "--json", "device"]
    device = ["--uuid", told["DEVICE_UUID"], "--carer", told["CARER_ID"], "--state-dir", told["STATE_DIR"]]
    if told["STEP"] == "record":
        for number in range(int(told["RECORD_EVENTS"])):
            subprocess.run([*common, "note", *device, told["VISIT_ID"], f"note {number}"], check=True)
        return
    kind = {"STANDARD": [], "CLEAN": ["--clean"], "AUTO": ["--auto"]}[told["SYNC_TYPE"]]
    follow = ["--follow"] if told["FOLLOW"] == "1" else []
    command = [*common, "sync", *device, *kind, *follow, "--data-level", told["DATA_LEVEL"]]
    os.execv(program, command)


if __name__ == "__main__":
    main()
