"""Runs caresyncd and caresync for tests: a server on a free port and a data directory of its own."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

# Seconds: longer than anything that a test waits for takes on a slow machine.
PATIENCE = 180


class CommandFailed(Exception):
    """A command ended with another status than the test expects."""


class Server:
    """A server and its data directory, from `with` to its end. Extra arguments go to caresyncd."""

    def __init__(self, bin_dir, *arguments):
        self.bin_dir = bin_dir
        self.arguments = arguments

    def __enter__(self):
        self.data_dir = tempfile.mkdtemp(prefix="caresync-test-")
        self.start()
        return self

    def start(self, listen="127.0.0.1:0"):
        """Starts on the data directory as it is; the address is another each time, unless it is given."""
        self.log = open(os.path.join(self.data_dir, "caresyncd.log"), "w")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CARESYNC_")}
        self.process = subprocess.Popen(
            [os.path.join(self.bin_dir, "caresyncd"), "--data-dir", self.data_dir, "--grpc-listen", listen,
             *self.arguments],
            stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment)
        line = self.process.stdout.readline()
        match = re.search(r"caresyncd listening on (\S+)", line)
        if match is None:
            self.stop(show_log=True)
            raise CommandFailed(f"caresyncd did not start: {line!r}")
        self.address = match.group(1)

    def __exit__(self, kind, error, trace):
        self.stop(show_log=error is not None)

    def halt(self):
        """Stops, and leaves the data directory."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def crash(self):
        """Ends as by a power cut, and leaves the data directory."""
        self.process.kill()
        self.process.wait()
        self.log.close()

    def stop(self, show_log):
        self.halt()
        if show_log:
            with open(self.log.name) as log:
                print("".join(log.readlines()[-30:]))
        shutil.rmtree(self.data_dir)

    def cli(self, tenant):
        return Cli(self.bin_dir, self.address, self.data_dir, tenant)


class Cli:
    """The command line, pointed at one server and tenant. A value: it can be given to other processes."""

    def __init__(self, bin_dir, address, data_dir, tenant):
        self.program = os.path.join(bin_dir, "caresync")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("CARESYNC_")}
        self.environment |= {"CARESYNC_SERVER": address, "CARESYNC_DATA_DIR": data_dir, "CARESYNC_TENANT": tenant}

    def run(self, *arguments, status=0):
        """The standard output and error of a command that ends with `status`."""
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True, env=self.environment,
                              timeout=300)
        if done.returncode != status:
            raise CommandFailed(f"caresync {' '.join(arguments)}: status {done.returncode}, expected {status}\n"
                                f"{done.stdout}{done.stderr}")
        return done.stdout, done.stderr

    def json_lines(self, *arguments, status=0):
        """The objects that a command prints with --json."""
        output, _ = self.run(*arguments, "--json", status=status)
        return [json.loads(line) for line in output.splitlines()]

    def start(self, *arguments):
        """A command that goes on; its standard output is to be read line by line. Its standard error is the test's."""
        return subprocess.Popen([self.program, *arguments], stdout=subprocess.PIPE, text=True, env=self.environment)

    def json(self, *arguments, status=0):
        """The last of them."""
        return self.json_lines(*arguments, status=status)[-1]


def expect(condition, message):
    """Fails the test with `message`; unlike assert, also where Python optimizes."""
    if not condition:
        raise AssertionError(message)


def wait_until(what, condition):
    """Looks until it is so: what the server does by itself comes behind the test's back."""
    end = time.monotonic() + PATIENCE
    while not condition():
        expect(time.monotonic() < end, f"never so: {what}")
        time.sleep(0.05)
