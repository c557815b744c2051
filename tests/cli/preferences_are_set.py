"""What an agency wants, as its administrator says it by commands: its preferences, who is told of mismatches, a branch's own interval."""

import argparse
import re

from caresync_process import Server, expect

TENANT = "agency"


def check_tenants(cli):
    tenant = cli.json("tenant", "create", TENANT, "--name", "An Agency", "--time-zone", "Europe/Rome")
    expect(tenant["time_zone"] == "Europe/Rome", tenant)
    again = cli.json("tenant", "create", TENANT, status=1)
    expect(again["error"]["reason"] == "TENANT_EXISTS", again)
    cli.run("tenant", "set", TENANT, "--auto-sync", "15m")
    expect(cli.json("tenant", "show", TENANT)["auto_sync_interval"] == "900s", "the interval was not set")
    cli.run("tenant", "set", TENANT, "--download-window", "14d", "--retention", "48h", "--least-app-version", "0.1")
    shown = cli.json("tenant", "show", TENANT)
    expect(shown["download_window"] == "1209600s" and shown["retention"] == "172800s", "the window was not set")
    expect(shown["least_app_version"] == "0.1", "the least app version was not set")
    cli.run("tenant", "set", TENANT, "--retention", "1h", status=1)
    cli.run("tenant", "set", TENANT, "--download-window", "off", "--retention", "off")
    output, _ = cli.run("tenant", "list")
    expect("15m" in output and "An Agency" in output, output)
    check_the_wait_after_a_restore(cli)
    check_the_times_of_mismatches(cli)


def check_the_wait_after_a_restore(cli):
    """It takes the lengths that the other options take, and a tenant's row shows it."""
    for given, wait, shown in (("1d", "86400s", "1d"), ("2h", "7200s", "2h"), ("0", "0s", "off"), ("off", "0s", "off"),
                               ("60m", "3600s", "1h")):
        tenant = cli.json("tenant", "set", TENANT, "--restore-wait", given)
        expect(tenant["restore_wait"] == wait, f"--restore-wait {given}: {tenant}")
        heading, row, *_ = cli.run("tenant", "show", TENANT)[0].splitlines()
        cells = dict(zip(re.split(r"  +", heading), re.split(r"  +", row)))
        expect(cells.get("Wait after a restore") == shown, f"--restore-wait {given}: {cells}")
    made = cli.json("tenant", "create", "hurried", "--restore-wait", "off")
    expect(made["restore_wait"] == "0s", made)
    for wrong in ("soon", "-1h", "-1d", "0.5s"):
        told = cli.json("tenant", "set", TENANT, f"--restore-wait={wrong}", status=2)
        expect(told["error"]["reason"] == "USAGE", told)
    cli.run("tenant", "set", TENANT, "--restore-wait", "25h", status=1)


def check_the_times_of_mismatches(cli):
    for option, field, heading, length, seconds, default, wrong in (
            ("--mismatch-grace", "mismatch_grace", "Mismatch grace", "45m", "2700s", "20m", ("4m", "25h", "off")),
            ("--mismatch-lead", "mismatch_lead", "Mismatch lead", "2d", "172800s", "1d", ("29m", "8d", "0")),
            ("--deliveries-kept", "deliveries_kept", "Deliveries kept", "120d", "10368000s", "90d", ("6d", "401d", "off"))):
        tenant = cli.json("tenant", "set", TENANT, option, length)
        expect(tenant[field] == seconds, f"{option} {length}: {tenant}")
        cli.run("tenant", "set", TENANT, option, default)
        columns, row, *_ = cli.run("tenant", "show", TENANT)[0].splitlines()
        cells = dict(zip(re.split(r"  +", columns), re.split(r"  +", row)))
        expect(cells.get(heading) == default, f"{option} {default}: {cells}")
        for length in wrong:
            told = cli.json("tenant", "set", TENANT, option, length, status=1)
            expect(told["error"]["reason"] == "INVALID_FIELD", f"{option} {length}: {told}")
        told = cli.json("tenant", "set", TENANT, f"{option}=-1h", status=2)
        expect(told["error"]["reason"] == "USAGE", told)


def check_notification_settings(cli):
    expect(cli.json("notifications", "list")["settings"] == [], "somebody is told")
    hours = ["--hours", "mon-fri 08:00-18:00", "--hours", "sat 9:00-12:00"]
    settings = cli.json("notifications", "set", "--branch", "Rome 003", *hours)
    expect(len(settings["hours"]) == 6 and settings["branch_id"], settings)
    output, _ = cli.run("notifications", "list")
    expect("mon-fri 08:00-18:00, sat 09:00-12:00" in output, output)
    expect(f"Rome 003  {settings['branch_id']}" in output, f"which branch? {output}")
    told = cli.json("notifications", "set", "--hours", "mon 18:00-08:00", status=2)
    expect("they end before they begin; over midnight give two" in told["error"]["message"], told)
    told = cli.json("notifications", "set", "--webhook", "https://ops.example.org/", status=1)
    expect("settings.webhook.secret" in told["error"]["message"], told)
    told = cli.json("notifications", "set", "--email", "office@example.org", status=1)
    expect("--smtp-url" in told["error"]["message"], told)
    told = cli.json("notifications", "set", "--overdue-percent", "100", status=1)
    expect("settings.overdue_percent" in told["error"]["message"], told)
    cli.json("notifications", "set", "--hours", "some day", status=2)
    expect(cli.json("notifications", "remove", "--branch", "Rome 003")["removed"], "there was nothing to remove")
    expect(cli.json("notifications", "list")["settings"] == [], "something is left")


# Requirement: S7
def check_a_branch_of_its_own_interval(cli):
    cli.run("tenant", "set", TENANT, "--branch-auto-sync", "Rome 003=10m")
    branches = cli.json("tenant", "show", TENANT)["branch_auto_syncs"]
    expect([branch["auto_sync_interval"] for branch in branches] == ["600s"], branches)
    output, _ = cli.run("tenant", "show", TENANT)
    expect(f"Rome 003  {branches[0]['branch_id']}  10m" in output, output)
    for wrong, reason in (("Rome 003=1s", "INVALID_FIELD"), ("Rome 999=10m", "BRANCH_NOT_FOUND"),
                          ("5e000000-0000-4000-8000-00000000000b=10m", "BRANCH_UNKNOWN")):
        told = cli.json("tenant", "set", TENANT, "--branch-auto-sync", wrong, status=1)
        expect(told["error"]["reason"] == reason, told)
    told = cli.json("tenant", "set", TENANT, "--branch-auto-sync", "10m", status=2)
    expect(told["error"]["reason"] == "USAGE", told)
    cli.run("tenant", "set", "--branch-auto-sync", "Rome 003=default", TENANT)
    expect(not cli.json("tenant", "show", TENANT).get("branch_auto_syncs"), "the branch has its own interval still")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    with Server(options.bin_dir) as server:
        cli = server.cli(TENANT)
        check_tenants(cli)
        cli.run("import-rota", options.rota, "--any-date", "--date", "2026-11-21")
        check_a_branch_of_its_own_interval(cli)
        check_notification_settings(cli)
        print("an agency has what its commands say")


if __name__ == "__main__":
    main()
