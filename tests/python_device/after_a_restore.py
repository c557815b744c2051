"""A backup takes the place of the data directory: the device in Python waits, sends its events again, and makes a new copy; as the
other make does."""

import argparse
import os
import shutil
import tempfile

from phones import CARE_EVENT, CliPhone, PythonPhone, Server, end_of, expect, expect_same, of_event
from restored_store_makes_devices_wait import first_in_place

TENANT = "restored"
DATE = "2026-11-21"
CARER = "003-rome/c1"
VISIT = 5


def results(lines):
    return {line["event_id"]: line["outcome"].removeprefix("EVENT_OUTCOME_") for line in of_event(lines, "result")}


def events_of(held):
    return {record_id for kind, record_id in held if kind == CARE_EVENT}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server(options.bin_dir) as server:
        cli = server.cli(TENANT)
        cli.run("tenant", "create", TENANT)
        cli.json("import-rota", options.rota, "--any-date", "--date", DATE)
        carer = next(c["carer_id"] for c in cli.json("carers")["carers"] if c["external_id"] == CARER)
        phone = PythonPhone(cli, folder, first_in_place(), carer)
        witness = CliPhone(cli, folder, first_in_place(), carer)
        phone.sync()
        witness.sync()
        visit = min(record_id for kind, record_id in phone.held() if kind == VISIT)
        kept = phone.record(visit, "note")
        phone.sync()

        def start_again():
            server.start()
            for one in (phone, witness):
                one.meet(server.cli(TENANT))
            return server.cli(TENANT)

        server.halt()
        backup = os.path.join(folder, "backup")
        shutil.copytree(server.data_dir, backup)
        cli = start_again()
        lost = phone.record(visit, "note")
        phone.sync()
        witness.sync()
        before = phone.held()
        expect_same(before, witness.held(), "before the restore")
        unsent = phone.record(visit, "note")

        server.halt()
        shutil.rmtree(server.data_dir)
        shutil.move(backup, server.data_dir)
        cli = start_again()
        lines = phone.sync(status=1)
        end = end_of(lines)
        expect((end["outcome"], end["reason"]) == ("waiting", "WAITING_AFTER_RESTORE"), f"ended otherwise: {end}")
        expect(end["retry_after"] is not None and end["retry_after"] > 0, f"it is not told when to come back: {end}")
        came = results(lines)
        expect(came == {kept: "KNOWN", lost: "ACCEPTED", unsent: "ACCEPTED"}, f"the results: {came}")
        expect_same(phone.held(), before, "the copy in use while it waits")
        lines = phone.sync(status=1)
        expect(of_event(lines, "started")[0]["resend_events"] is False, "it is asked again for what it has sent")

        cli.json("tenant", "release-rebuilds", TENANT)
        lines = phone.sync()
        expect([line["reason"] for line in of_event(lines, "rebuild")] == ["REBUILD_REASON_FOREIGN"],
               f"no new copy: {lines}")
        expect(events_of(phone.held()) == {kept, lost, unsent}, f"events held: {events_of(phone.held())}")
        witness.sync()
        expect_same(phone.held(), witness.held(), "after the restore")
        missing = cli.json("device", "show", phone.uuid)["missing_event_numbers"]
        expect(missing == 0, f"{missing} of its events never arrived")
        print("the device in Python waited, sent its events again, and made a new copy")


if __name__ == "__main__":
    main()
