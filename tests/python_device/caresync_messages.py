"""The messages of caresync as Python classes, made by protoc from protos/ when this module is first loaded."""

import importlib
import os
import subprocess
import sys
import tempfile

PROTOS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "protos")


def _protoc(path, folder, files):
    done = subprocess.run(["protoc", "--proto_path", path, "--python_out", folder, *files],
                          capture_output=True,
                          text=True)
    if done.returncode != 0:
        raise RuntimeError(f"protoc: {done.stderr}")


def _load():
    """Makes the stubs in a folder that is gone again once they are loaded: a device that is killed leaves nothing behind."""
    caresync = sorted(f"caresync/v1/{name}" for name in os.listdir(os.path.join(PROTOS, "caresync", "v1")))
    rpc = ["status.proto", "error_details.proto"]
    with tempfile.TemporaryDirectory(prefix="caresync-stubs-") as folder:
        _protoc(PROTOS, folder, caresync)
        # With a path of their own: beside them the package "google" of python3-protobuf could not be found.
        _protoc(os.path.join(PROTOS, "google", "rpc"), folder, rpc)
        sys.path.insert(0, folder)
        try:
            names = [path.removesuffix(".proto").replace("/", ".") + "_pb2" for path in caresync + rpc]
            return {name.rsplit(".", 1)[-1]: importlib.import_module(name) for name in names}
        finally:
            sys.path.remove(folder)


_modules = _load()
device_sync = _modules["device_sync_pb2"]
records = _modules["records_pb2"]
devices = _modules["devices_pb2"]
service_users = _modules["service_users_pb2"]
roster = _modules["roster_pb2"]
tenants = _modules["tenants_pb2"]
rpc_status = _modules["status_pb2"]
rpc_details = _modules["error_details_pb2"]
