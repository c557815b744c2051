#!/usr/bin/env python3
"""The device of this folder as `caresync check-client --device-command` runs it: one step a run, everything told by the environment."""

import os
import signal
import sys

import caresync_messages as messages
from device_state import DeviceState
from event_queue import EventQueue
from sync_client import Wish
from syncing import Syncing


def told(name):
    return os.environ[f"CARESYNC_CHECK_{name}"]


def say(what, **details):
    print(what, details, flush=True)


def sync(state):
    wish = Wish(device_uuid=told("DEVICE_UUID"),
                carer_id=told("CARER_ID"),
                follow=told("FOLLOW") == "1",
                sync_type=messages.device_sync.SyncType.Value(f"SYNC_TYPE_{told('SYNC_TYPE')}"),
                data_level=int(told("DATA_LEVEL")))
    Syncing(told("ADDR"), lambda: told("TOKEN"), state, say, connects_again=False).run(wish)


def record(state):
    for number in range(int(told("RECORD_EVENTS"))):
        event = messages.records.CareEvent(carer_id=told("CARER_ID"), visit_id=told("VISIT_ID"))
        event.occurred_time.GetCurrentTime()
        event.note.text = f"Note {number}"
        EventQueue(state).record(told("CARER_ID"), event.SerializeToString())


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    state = DeviceState(told("STATE_DIR"), told("DEVICE_UUID"))
    {"sync": sync, "record": record}[told("STEP")](state)
    state.close()


if __name__ == "__main__":
    sys.exit(main())
