"""Imports rotas into a server of its own, syncs every carer on a device of its own, and compares what each device holds with what the
rota's JSON says. With CARESYNC_ALL_ROTAS=1 every rota in the folder is taken, else the named ones."""

import argparse
import collections
import datetime
import glob
import multiprocessing
import os
import sys
import uuid
import zoneinfo

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from caresync_process import Server, expect  # noqa: E402
from expected_visits import expected_visits, load  # noqa: E402

TENANT = "rotas"
TIME_ZONE = "Europe/Rome"
# The day on which the clocks change in this zone: its working day starts at another distance from UTC than its midnight.
DATE = datetime.date(2026, 10, 25)
DAY_START = datetime.datetime.combine(DATE, datetime.time(7), tzinfo=zoneinfo.ZoneInfo(TIME_ZONE))


def milliseconds(minutes):
    return round(minutes * 60_000)


def instant(iso):
    """Milliseconds since the start of the working day."""
    time = datetime.datetime.fromisoformat(iso.replace("Z", "+00:00"))
    return round((time - DAY_START) / datetime.timedelta(milliseconds=1))


def expected_day(rota, caregiver):
    """What the device must show: by place, who comes from when to when, and which services are planned for how long."""
    patients = {patient["id"]: patient for patient in rota["patients"]}
    day = collections.Counter()
    for patient_id, stops in expected_visits(rota)[caregiver].items():
        patient = patients[patient_id]
        people = frozenset((who, milliseconds(start), milliseconds(end)) for who, _, start, end in stops)
        services = tuple(sorted((part["service"], part["duration"]) for part in patient["required_caregivers"]))
        givers = frozenset((service, who) for who, service, _, _ in stops)
        day[(tuple(patient["location"]), people, services, givers)] += 1
    return day


def held_day(visits, external_ids):
    day = collections.Counter()
    for visit in visits:
        place = (visit["location"]["longitude"], visit["location"]["latitude"])
        people = frozenset((external_ids[part["carer_id"]], instant(part["start"]), instant(part["end"]))
                           for part in visit["assignments"])
        kinds = [(activity["activity_kind"].removeprefix("Service "), activity) for activity in visit["activities"]]
        services = tuple(sorted((kind, activity["planned_minutes"]) for kind, activity in kinds))
        givers = frozenset((kind, external_ids[activity["carer_id"]]) for kind, activity in kinds)
        day[(place, people, services, givers)] += 1
    return day


def check_double_ups(rota, visits):
    """Together, or one after the other with the stated gap: counts (together, one after the other) of what is right."""
    synchronization = {tuple(patient["location"]): patient["synchronization"] for patient in rota["patients"]
                       if "synchronization" in patient}
    together = one_after_the_other = 0
    for visit in visits:
        rule = synchronization.get((visit["location"]["longitude"], visit["location"]["latitude"]))
        if rule is None:
            continue
        starts = sorted(instant(part["start"]) for part in visit["assignments"])
        gap = starts[-1] - starts[0]
        if rule["type"] == "simultaneous":
            expect(gap == 0, f"the carers of {visit['address']} should come together, not {gap / 60_000} minutes apart")
            together += 1
        else:
            least, most = (milliseconds(minutes) for minutes in rule["distance"])
            expect(least <= gap <= most, f"the carers of {visit['address']} come {gap / 60_000} minutes apart")
            one_after_the_other += 1
    return together, one_after_the_other


def check_carer(work):
    """Syncs one carer's device and compares it; what is wrong, or None, and counts."""
    cli, rota, caregiver, carer_id, external_ids = work
    device = ["--uuid", str(uuid.uuid5(uuid.NAMESPACE_URL, f"{rota['name']}/{caregiver}")), "--carer", carer_id]
    try:
        end = cli.json("device", "sync", *device)
        held = cli.json("device", "visits", *device)
        expect(end["outcome"] == "succeeded", f"the sync ended so: {end}")
        expect(end["visits"] == len(held["visits"]), "the sync's last line has another number of visits than the device")
        expected, found = expected_day(rota, caregiver), held_day(held["visits"], external_ids)
        expect(expected == found, f"missing: {expected - found}\ntoo much: {found - expected}")
        return None, len(held["visits"]), *check_double_ups(rota, held["visits"])
    except Exception as error:  # A worker's error is told with its carer.
        return f"{rota['name']}/{caregiver}: {error}", 0, 0, 0


def import_all(cli, paths):
    arguments = ["import-rota", *paths, "--any-date", "--date", DATE.isoformat()]
    for result in cli.json_lines(*arguments):
        expect(result["rejected"] == [] and result["waiting"] == 0, f"not all was taken: {result}")
    for result in cli.json_lines(*arguments):
        changed = result["created"] + result["updated"]
        expect(changed == 0, f"importing again changed {changed} records of {result['branch']}")


def work_list(cli, rotas):
    carers = cli.json("carers")["carers"]
    ids = {carer["external_id"]: carer["carer_id"] for carer in carers}
    for rota in rotas:
        names = {ids[f"{rota['name']}/{caregiver['id']}"]: caregiver["id"] for caregiver in rota["caregivers"]}
        for carer_id, caregiver in names.items():
            yield cli, rota, caregiver, carer_id, names


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rotas", required=True, help="the folder of rota files")
    parser.add_argument("name", nargs="+")
    options = parser.parse_args()
    paths = [os.path.join(options.rotas, f"{name}.json") for name in options.name]
    if os.environ.get("CARESYNC_ALL_ROTAS"):
        paths = sorted(glob.glob(os.path.join(options.rotas, "*.json")))
    rotas = [load(path) for path in paths]

    with Server(options.bin_dir) as server:
        cli = server.cli(TENANT)
        cli.run("tenant", "create", TENANT, "--time-zone", TIME_ZONE)
        import_all(cli, paths)
        work = list(work_list(cli, rotas))
        with multiprocessing.Pool(os.cpu_count()) as pool:
            results = pool.map(check_carer, work, chunksize=1)
        wrong = [result[0] for result in results if result[0] is not None]
        expect(not wrong, f"{len(wrong)} of {len(work)} carers:\n" + "\n".join(wrong[:10]))
        visits, together, one_after_the_other = (sum(result[i] for result in results) for i in (1, 2, 3))
        idle = sum(1 for result in results if result[1] == 0)
        expect(together > 0 and one_after_the_other > 0 and idle > 0, "no double-up call or no idle carer was looked at")
        print(f"{len(rotas)} rotas, {len(work)} carers ({idle} idle), {visits} visits on devices, of double-up calls "
              f"{together} together and {one_after_the_other} one after the other: all as in the JSON")


if __name__ == "__main__":
    main()
