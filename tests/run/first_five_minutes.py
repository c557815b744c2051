"""The README's first five minutes, typed as they stand there, against what ./run has started."""

import os
import re
import shlex
import signal
import subprocess
import tempfile

HEADING = "## A first five minutes"
# What its sentences say of a line where it ends otherwise than well.
REFUSED = "# refused"
# Lines that are for something else: the shell's setting, a program that ./run does not build.
NOT_HERE = ("export ", "fleetload ")


def lines_of(root):
    """Each command of the section, one after the other, in the order of the text."""
    with open(os.path.join(root, "README.md")) as file:
        section = file.read().split(HEADING)[1].split("\n## ")[0]
    for block in re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if not line.startswith(NOT_HERE):
                yield line


def until_interrupted(command, folder, environment):
    """Its status, where it was stopped as by Ctrl-C once its sync is recorded."""
    process = subprocess.Popen(shlex.split(command, comments=True) + ["--json"], stdout=subprocess.PIPE, text=True, cwd=folder,
                               env=environment)
    for line in process.stdout:
        if '"sync_recorded"' in line:
            process.send_signal(signal.SIGINT)
    return process.wait(timeout=60)


def first_visit(cli, line):
    """The beginning of the ID of the first visit on the device that the line names."""
    device = re.search(r"--uuid (\S+) --carer (\S+)", line)
    held = cli.json("device", "visits", "--uuid", device[1], "--carer", device[2])
    return held["visits"][0]["visit_id"][:12]


def type_line(line, folder, environment):
    """How it ended, and what it said."""
    if "--follow" in line:
        return until_interrupted(line, folder, environment), ""
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=folder, env=environment, timeout=120)
    return done.returncode, done.stdout + done.stderr


def play(root, cli):
    """Types each line; a line that ends otherwise than the text says is an error. Returns how many there were."""
    bin_dir = os.path.join(root, "build/release/bin")
    environment = cli.environment | {"PATH": f"{bin_dir}:{os.environ['PATH']}"}
    played = 0
    visit = None
    with tempfile.TemporaryDirectory(prefix="caresync-readme-") as folder:
        os.symlink(os.path.join(root, "demo"), os.path.join(folder, "demo"))
        for line in lines_of(root):
            if "VISIT" in line:
                # The first, before one of them is finished.
                visit = visit or first_visit(cli, line)
                line = line.replace("VISIT", visit)
            status, output = type_line(line, folder, environment)
            if (status != 0) != (REFUSED in line):
                raise AssertionError(f"{line}\nended with {status}:\n{output}")
            played += 1
    return played
