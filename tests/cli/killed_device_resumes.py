"""A device that is killed at every batch of a sync goes on where it was: no acknowledged batch comes again, and a rota that changes
meanwhile ends up right. Once for a new copy, which begins with the carer's next visits, once for a clean sync beside a copy in use."""

import argparse
import copy
import datetime
import json
import os
import signal
import tempfile

from caresync_process import Server, expect

TENANT = "kills"
# All of its visits are still to come.
DATE = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)).date().isoformat()
# Small, so that one carer's records take many batches.
BATCH_BYTES = "2048"


def busiest(rota):
    return max(rota["routes"], key=lambda route: len(route.get("locations", [])))["caregiver_id"]


def changed_rota(rota, caregiver):
    """The first visit of the caregiver comes half a minute later, and the last one is given to somebody else."""
    changed = copy.deepcopy(rota)
    routes = {route["caregiver_id"]: route for route in changed["routes"]}
    day = routes[caregiver]["locations"]
    day[0]["arrival_time"] += 0.5
    day[0]["departure_time"] += 0.5
    other = next(name for name in routes if name != caregiver)
    routes[other].setdefault("locations", []).append(day.pop())
    return changed


class Device:
    """A device in the terminal."""

    def __init__(self, cli, uuid, carer):
        self.cli = cli
        self.uuid = uuid
        self.options = ["--uuid", uuid, "--carer", carer]

    def sync(self, *options, status=0):
        return self.cli.json_lines("device", "sync", *self.options, *options, status=status)

    def note(self, visit):
        """Records a long note; its event ID."""
        return self.cli.json("device", "note", *self.options, visit, "a long note " * 50)["event_id"]

    def visits(self):
        """By ID: everything that is shown of a visit."""
        return {visit["visit_id"]: visit for visit in self.cli.json("device", "visits", *self.options)["visits"]}


def sync_with_kills(device, meanwhile, *options):
    """Syncs until it succeeds, killed after each batch; `meanwhile` is done after the second. What each run printed."""
    runs = []
    while True:
        lines = device.sync(*options, "--stop-after-batches", "1", "--stop-before-last-ack", status=-signal.SIGKILL)
        runs.append(lines)
        expect(len(runs) < 100, "the device is not getting on")
        if any(line["event"] == "caught_up" for line in lines):
            break
        if len(runs) == 2:
            meanwhile()
    # The acknowledgement of `caught_up` was lost: the next sync has nothing to fetch, and succeeds.
    end = device.sync()
    expect(end[-1]["outcome"] == "succeeded", f"the last sync: {end[-1]}")
    expect(all(line["event"] != "rebuild" for line in end[:-1]), "a complete copy was made anew")
    return runs


def batch(lines):
    """The records of the batch; what was sent ahead of the new copy is none of them."""
    batches = [line for line in lines if line["event"] == "batch"]
    expect(len(batches) <= 1, "a killed device went on past its batch")
    batches = [line for line in batches if not line["next_visits"]]
    return {(u["kind"], u["record_id"]) for b in batches for u in b["upserts"]}


def check_runs(runs, changed):
    """Nothing but what `changed` after it was sent comes twice, and the copy is begun once."""
    expect(len(runs) >= 4, f"only {len(runs)} batches: too few to show anything")
    begun = sum(1 for lines in runs for line in lines if line["event"] == "rebuild")
    expect(begun == 1, f"the new copy was begun {begun} times")
    seen = set()
    for records in map(batch, runs):
        again = (records & seen) - changed
        expect(not again, f"acknowledged records came again: {again}")
        seen |= records


def own_start(visit, carer_id):
    return min(part["start"] for part in visit["assignments"] if part["carer_id"] == carer_id)


# Requirement: S1
def check_next_visits(newcomer, whole):
    """A phone that is cut off after the first message shows the next visits, and goes on to the `whole` without getting them again."""
    first = newcomer.sync("--stop-after-batches", "1", status=-signal.SIGKILL)
    started = first[0]
    expect(started["event"] == "started" and started["estimated_bytes"] > int(BATCH_BYTES), f"no estimate: {started}")
    expect([line["next_visits"] for line in first if line["event"] == "batch"] == [True], f"no next visits first: {first}")
    held = newcomer.cli.json("device", "visits", *newcomer.options)
    shown = [visit["visit_id"] for visit in held["visits"]]
    in_order = sorted(whole, key=lambda visit: (own_start(whole[visit], held["carer_id"]), visit))
    expect(held["incomplete"] and held["never_synced"], "an unfinished copy passes for a whole one")
    expect(0 < len(shown) < len(whole) and set(shown) == set(in_order[:len(shown)]), f"these are not the next visits: {shown}")
    for visit in held["visits"]:
        expect(visit == whole[visit["visit_id"]], f"a visit lacks what belongs to it: {visit}")
    output, _ = newcomer.cli.run("device", "visits", *newcomer.options)
    expect("Not complete yet" in output, output)
    rest = newcomer.sync()
    expect(all(line["event"] != "rebuild" and not line.get("next_visits") for line in rest[:-1]), "the copy was begun anew")
    expect(newcomer.visits() == whole, "the phone that was cut off holds another day")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    with open(options.rota) as file:
        rota = json.load(file)
    caregiver = busiest(rota)
    carer = f"{rota['name']}/{caregiver}"

    with tempfile.TemporaryDirectory() as folder, Server(options.bin_dir, "--batch-bytes", BATCH_BYTES) as server:
        cli = server.cli(TENANT)
        changed_file = os.path.join(folder, "changed.json")
        with open(changed_file, "w") as file:
            json.dump(changed_rota(rota, caregiver), file)

        def load(path):
            result = cli.json("import-rota", path, "--any-date", "--date", DATE)
            expect(result["rejected"] == [] and result["waiting"] == 0, f"not all was taken: {result}")

        cli.run("tenant", "create", TENANT)
        load(options.rota)
        witness = Device(cli, "5e000000-0000-4000-8000-000000000001", carer)
        victim = Device(cli, "5e000000-0000-4000-8000-000000000002", carer)
        witness.sync()
        check_next_visits(Device(cli, "5e000000-0000-4000-8000-000000000003", carer), witness.visits())
        notes = {(visit, witness.note(visit)) for visit in witness.visits()}
        witness.sync()
        before = witness.visits()

        runs = sync_with_kills(victim, lambda: load(changed_file))
        witness.sync()
        after = witness.visits()
        expect(before != after, "the changed rota changed nothing")
        expect(victim.visits() == after, "the killed device holds another day than one that was never killed")
        moved = {("visit", visit) for visit in before if before[visit] != after.get(visit)}
        moved |= {("care event", note) for visit, note in notes if ("visit", visit) in moved}
        check_runs(runs, moved)

        def change_back():
            expect(victim.visits() == after, "the old copy was not kept while the new one is made")
            load(options.rota)

        runs = sync_with_kills(victim, change_back, "--clean")
        witness.sync()
        expect(witness.visits() == before, "the rota did not come back to what it was")
        expect(victim.visits() == before, "the device killed in a clean sync holds another day")
        check_runs(runs, moved)
        causes = [sync["interruption"] for sync in cli.json("syncs", victim.uuid)["syncs"]]
        expect(causes.count("INTERRUPTION_CAUSE_UNKNOWN") >= 8, f"the history tells of other interruptions: {causes}")
        print(f"killed at each of {len(runs)} batches of a clean sync; nothing came twice")


if __name__ == "__main__":
    main()
