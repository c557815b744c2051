"""The command line as people use it, against a server: a tenant, a rota, a device that records and syncs, the office's report."""

import argparse
import re

from caresync_process import Server, expect

TENANT = "agency"
DEVICE = "5e000000-0000-4000-8000-000000000001"
IDLE_DEVICE = "5e000000-0000-4000-8000-000000000002"
COLUMNS = ["Branch", "Users", "Last API call time", "Last API call success", "Last successful sync", "Device name",
           "App version", "UUID"]


def check_usage_errors(cli):
    for arguments in (["no-such-command"], ["import-rota", "x.json"], ["token", "--role", "king"],
                      ["token", "--role", "carer"], ["device", "sync", "--uuid", "not-a-uuid", "--carer", "c1"],
                      ["import-rota", "x.json", "--date", "2026-13-01"]):
        output, error = cli.run(*arguments, status=2)
        expect(output + error != "", f"{arguments} says nothing")
    _, error = cli.run("device", status=2)
    expect("start-visit" in error, error)
    output, _ = cli.run("--help")
    expect("caresync import-rota" in output, "the help has no examples")
    output, _ = cli.run("device", "sync", "--help")
    expect("--clean" in output and "--stop-after-batches" not in output, "the help of device sync")


def check_tenants(cli):
    tenant = cli.json("tenant", "create", TENANT, "--name", "An Agency", "--time-zone", "Europe/Rome")
    expect(tenant["time_zone"] == "Europe/Rome", tenant)
    again = cli.json("tenant", "create", TENANT, status=1)
    expect(again["error"]["reason"] == "TENANT_EXISTS", again)
    cli.run("tenant", "set", TENANT, "--auto-sync", "15m")
    expect(cli.json("tenant", "show", TENANT)["auto_sync_interval"] == "900s", "the interval was not set")
    output, _ = cli.run("tenant", "list")
    expect("15m" in output and "An Agency" in output, output)


def check_import(cli, rota):
    _, error = cli.run("import-rota", __file__, "--date", "2026-11-21", status=1)
    expect("ROTA_NOT_VALID" in error and "not JSON" in error, error)
    _, error = cli.run("import-rota", "no-such-file.json", "--date", "2026-11-21", status=1)
    expect("FILE_NOT_READABLE" in error, error)
    output, _ = cli.run("import-rota", rota, "--date", "2026-11-21")
    expect(re.search(r"created 9\d", output) and "rejected 0" in output, output)
    output, _ = cli.run("import-rota", rota, "--date", "2026-11-21")
    expect("created 0  updated 0" in output, output)


def check_carers(cli):
    output, _ = cli.run("carers", "--search", "003-rome/c1")
    expect("003-rome/c1" in output and "Rome 003" in output, output)
    missing = cli.json("devices", "--carer", "nobody", status=1)
    expect(missing["error"]["reason"] == "CARER_NOT_FOUND", missing)


def check_recording(cli):
    device = ["--uuid", DEVICE, "--carer", "c1"]
    visits = cli.json("device", "visits", *device)["visits"]
    expect(visits == [], visits)
    output, _ = cli.run("device", "sync", *device, "--name", "Pixel 6", "--app-version", "4.2.0")
    last = output.splitlines()[-1]
    expect(re.fullmatch(r"visits [1-9]\d*  records \d+  revision \d+  outcome succeeded", last), output)
    expect("added" in output, output)

    visits = cli.json("device", "visits", *device)["visits"]
    expect(all(visit["status"] == "planned" for visit in visits), visits)
    visit = visits[0]["visit_id"]
    cli.run("device", "start-visit", *device, visit)
    error = cli.json("device", "start-visit", *device, visits[1]["visit_id"], status=1)
    expect(error["error"]["reason"] == "VISIT_ALREADY_OPEN", error)
    cli.run("device", "note", *device, visit, "All well; door code changed")
    refused = cli.json("device", "sync", *device, "--clean", status=1)
    expect(refused["reason"] == "CLEAN_SYNC_WOULD_LOSE_WORK" and refused["unsent_events"] == 2, refused)
    cli.run("device", "finish-visit", *device)
    held = cli.json("device", "visits", *device)
    expect(held["unsent_events"] == 3 and held["visits"][0]["status"] == "finished", held)

    end = cli.json("device", "sync", *device)
    expect(end["outcome"] == "succeeded" and end["events_accepted"] == 3 and end["unsent_events"] == 0, end)
    end = cli.json("device", "sync", *device)
    expect(end["batches"] == 0 and end["outcome"] == "succeeded", f"an empty sync: {end}")
    end = cli.json("device", "sync", *device, "--clean")
    expect(end["outcome"] == "succeeded" and end["sync_type"] == "clean", end)
    held = cli.json("device", "visits", *device)["visits"][0]
    expect(held["status"] == "finished" and held["recorded_notes"] == 1, held)
    return visit


def check_what_the_rostering_system_reads(cli):
    # What was uploaded together is one commit, and has no order in it.
    events = sorted(cli.json_lines("care-events"), key=lambda delivery: delivery["event"]["occurred_time"])
    expect([next(kind for kind in ("visit_started", "note", "visit_finished") if kind in event["event"])
            for event in events] == ["visit_started", "note", "visit_finished"], events)
    expect(all(event["carer_external_id"] == "003-rome/c1" for event in events), events)
    output, _ = cli.run("care-events")
    expect("note: All well; door code changed" in output, output)


# Requirement: R6
def check_report(cli):
    cli.run("device", "update", IDLE_DEVICE, "--enrol", "--users", "c2", "--branch", "Rome 003")
    output, _ = cli.run("devices")
    lines = output.splitlines()
    expect(re.split(r"  +", lines[0]) == COLUMNS, lines[0])
    row = next(line for line in lines if DEVICE in line)
    expect("succeeded" in row and "Never" not in row, row)
    row = next(line for line in lines if IDLE_DEVICE in line)
    expect(row.startswith("Rome 003") and row.count("Never") == 3, row)
    never = cli.json("devices", "--never-synced")["devices"]
    expect([device["device_uuid"] for device in never] == [IDLE_DEVICE], never)

    output, _ = cli.run("device", "show", IDLE_DEVICE)
    expect("Last successful sync    Never" in output, output)
    syncs = cli.json("syncs", DEVICE)["syncs"]
    expect([sync["outcome"] for sync in syncs] == ["SYNC_OUTCOME_SUCCEEDED"] * 3 + ["SYNC_OUTCOME_REFUSED"] +
           ["SYNC_OUTCOME_SUCCEEDED"], syncs)
    output, _ = cli.run("syncs", DEVICE, "--most", "2")
    expect(len(output.splitlines()) == 3, output)


def check_refused_and_unreachable(cli):
    cli.run("device", "update", DEVICE, "--users", "c3")
    refused = cli.json("device", "sync", "--uuid", DEVICE, "--carer", "c1", status=1)
    expect(refused["outcome"] == "refused" and refused["reason"] == "CARER_NOT_A_USER", refused)
    device = ["--uuid", IDLE_DEVICE, "--carer", "c2"]
    cli.run("device", "visits", *device)
    output, error = cli.run("device", "sync", *device, "--server", "127.0.0.1:1", status=1)
    expect("SERVER_UNREACHABLE" in error and "[x] be on the internet" in error, error)
    expect(output.splitlines()[-1].endswith("outcome interrupted"), output)
    cli.run("device", "sync", *device)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    with Server(options.bin_dir) as server:
        cli = server.cli(TENANT)
        check_usage_errors(cli)
        check_tenants(cli)
        check_import(cli, options.rota)
        check_carers(cli)
        check_recording(cli)
        check_what_the_rostering_system_reads(cli)
        check_report(cli)
        check_refused_and_unreachable(cli)
        print("every command does what it says")


if __name__ == "__main__":
    main()
