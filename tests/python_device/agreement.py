"""The device in Python and the one of `caresync device`, for the same carers on one server: through rota changes, care events of both,
access and care plans, clean syncs and cuts they hold the same, record for record and byte for byte, and what the rota's JSON and the office
say."""

import argparse
import copy
import json
import os
import random
import signal
import sys
import tempfile
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "rotas"))

import caresync_messages as messages
from expected_visits import expected_visits
from office import Office
from phones import CARE_EVENT, CARE_PLAN, CliPhone, PythonPhone, Server, end_of, expect, expect_same, of_event
from every_carer_holds_its_day import DATE, TIME_ZONE, expected_day, held_day

TENANT = "agreement"
# Small, so that a copy takes many batches.
BATCH_BYTES = "1024"
ROUNDS = 3
SEED = 20261025
records = messages.records
CARER, SERVICE_USER, VISIT = records.RECORD_KIND_CARER, records.RECORD_KIND_SERVICE_USER, records.RECORD_KIND_VISIT


def changed_rota(rota, chance):
    """Some stops come at another time, and some visits of one carer are given to another."""
    rota = copy.deepcopy(rota)
    routes = {route["caregiver_id"]: route.setdefault("locations", []) for route in rota["routes"]}
    stops = [(who, stop) for who, route in routes.items() for stop in route]
    for _, stop in chance.sample(stops, 4):
        later = chance.choice([0.5, 1, 15])
        stop["arrival_time"] += later
        stop["departure_time"] += later
    patients = [stop["patient"] for _, stop in stops]
    alone = [(who, stop) for who, stop in stops if patients.count(stop["patient"]) == 1]
    for who, stop in chance.sample(alone, 4):
        routes[who].remove(stop)
        routes[chance.choice([name for name in routes if name != who])].append(stop)
    return rota


def visits_of(held):
    """The visits of a copy, decoded, in the form in which the model of the rotas looks at them."""
    places = {record_id: records.ServiceUser.FromString(payload).location
              for (kind, record_id), payload in held.items() if kind == SERVICE_USER}
    for (kind, _), payload in held.items():
        if kind != VISIT:
            continue
        visit = records.Visit.FromString(payload)
        place = places[visit.service_user_id]
        yield {"location": {"longitude": place.longitude, "latitude": place.latitude},
               "assignments": [assignment_of(part) for part in visit.assignments],
               "activities": [activity_of(activity) for activity in visit.planned_activities]}


def assignment_of(part):
    return {"carer_id": part.carer_id, "start": part.start_time.ToJsonString(), "end": part.end_time.ToJsonString()}


def activity_of(activity):
    return {"activity_kind": activity.activity_kind, "planned_minutes": activity.planned_minutes,
            "carer_id": activity.carer_id}


def place_of(service_user):
    return (service_user.location.longitude, service_user.location.latitude)


def decoded(held, kind, message):
    """The records of one kind, by ID."""
    return {record_id: message.FromString(payload) for (of_kind, record_id), payload in held.items() if of_kind == kind}


class Pair:
    """One carer's two phones, one of each make."""

    def __init__(self, cli, folder, rota, caregiver, carer_id):
        self.caregiver, self.carer_id = caregiver, carer_id
        place = f"{rota['name']}/{caregiver}"
        self.python = PythonPhone(cli, folder, str(uuid.uuid5(uuid.NAMESPACE_URL, f"python/{place}")), carer_id)
        self.cli = CliPhone(cli, folder, str(uuid.uuid5(uuid.NAMESPACE_URL, f"cli/{place}")), carer_id)

    def sync(self, *options):
        """Both, the one in Python with these options too; what that one printed."""
        lines = self.python.sync(*options)
        self.cli.sync()
        return lines

    def visits(self):
        return sorted(record_id for kind, record_id in self.cli.held() if kind == VISIT)

    def accepted(self):
        """By ID: the bytes of the events of this pair that were accepted, those included whose first result a kill lost."""
        outcomes = self.python.shown()["outcomes"]
        accepted = {
            event_id for event_id, (outcome, reason) in outcomes.items()
            if outcome in ("EVENT_OUTCOME_ACCEPTED", "EVENT_OUTCOME_KNOWN") and reason == "REVIEW_REASON_UNSPECIFIED"
        }
        python = {event_id: event for event_id, event in self.python.recorded_events() if event_id in accepted}
        return python | dict(self.cli.recorded_events())


class Agency:
    """A rota on a server, and every carer's two phones."""

    def __init__(self, server, folder, rota):
        self.cli, self.folder, self.rota = server.cli(TENANT), folder, rota
        self.cli.run("tenant", "create", TENANT, "--time-zone", TIME_ZONE)
        self.take(rota)
        known = {c["external_id"]: c for c in self.cli.json("carers")["carers"]}
        listed = {caregiver["id"]: known[f"{rota['name']}/{caregiver['id']}"] for caregiver in rota["caregivers"]}
        ids = {caregiver: carer["carer_id"] for caregiver, carer in listed.items()}
        self.ids = ids
        # As the office sees them: the rota gives no names.
        self.carers = {carer["carer_id"]: records.Carer(name=carer["name"], branch_id=carer.get("branch_id", ""))
                       for carer in listed.values()}
        self.names = {carer_id: caregiver for caregiver, carer_id in ids.items()}
        # What the office gave beside the rota: by patient, the caregivers who see it; by care plan, its patient and what it says.
        self.access, self.plans = {}, {}
        # By place, whose service user it is: no two patients of the rota live at one place.
        self.residents = {}
        self.places = {patient["id"]: tuple(patient["location"]) for patient in rota["patients"]}
        expect(len(set(self.places.values())) == len(self.places), "two patients live at one place")
        self.pairs = [Pair(self.cli, folder, rota, caregiver, carer_id) for caregiver, carer_id in ids.items()]

    def take(self, rota):
        """The rota is sent by the rostering system, and is what the model goes by from now on."""
        path = os.path.join(self.folder, "rota.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(rota, file)
        result = self.cli.json("import-rota", path, "--any-date", "--date", DATE.isoformat())
        expect(result["rejected"] == [] and result["waiting"] == 0, f"not all was taken: {result}")
        self.rota = rota

    def service_user(self, patient):
        """The record ID of a patient that some device held."""
        return self.residents[self.places[patient]]

    def patients_of(self, caregiver):
        """Those whom its devices may show: of its visits, and those that it was given access to."""
        given = {patient for patient, caregivers in self.access.items() if caregiver in caregivers}
        return set(expected_visits(self.rota)[caregiver]) | given

    def check_records(self, pair, held, who):
        """The carers, service users and care plans are those, and only those, that the rota and the office say, and say what these
        say: of a service user the rota tells the place alone."""
        visits = expected_visits(self.rota)[pair.caregiver].values()
        carers = {self.ids[carer] for carer in {pair.caregiver} | {colleague for stops in visits for colleague, _, _, _ in stops}}
        self.expect_records(decoded(held, CARER, records.Carer), {carer: self.carers[carer] for carer in carers},
                            f"{who}: carers")
        places = {record_id: place_of(user) for record_id, user in decoded(held, SERVICE_USER, records.ServiceUser).items()}
        for record_id, place in places.items():
            known = self.residents.setdefault(place, record_id)
            expect(known == record_id, f"{who}: at {place} lives {record_id}, where {known} lived")
        patients = self.patients_of(pair.caregiver)
        self.expect_records(places, {self.residents.get(self.places[patient]): self.places[patient] for patient in patients},
                            f"{who}: service users")
        plans = {plan_id: plan for plan_id, (patient, plan) in self.plans.items() if patient in patients}
        self.expect_records(decoded(held, CARE_PLAN, records.CarePlan), plans, f"{who}: care plans")

    @staticmethod
    def expect_records(found, expected, what):
        """By ID, what is held of each and what it must be."""
        wrong = [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]
        told = "; ".join(f"{key} is {found.get(key)}, not {expected.get(key)}" for key in wrong[:5])
        expect(not wrong, f"{what}: {len(wrong)} differ: {told}")

    def check(self, when):
        """Every carer's phones hold the same, and what the model says. Both have synced."""
        events = {event_id: event for pair in self.pairs for event_id, event in pair.accepted().items()}
        everybodys = {}
        for pair in self.pairs:
            held = pair.python.held()
            who = f"{when}, carer {pair.caregiver}"
            expect_same(held, pair.cli.held(), f"{who}: the phones of the two makes differ (Python first)")
            for key, payload in held.items():
                expect(everybodys.setdefault(key, payload) == payload, f"{who}: {key} is not what another carer's phone holds")
            expected, found = expected_day(self.rota, pair.caregiver), held_day(visits_of(held), self.names)
            expect(expected == found, f"{who}: missing {expected - found}, too much {found - expected}")
            self.check_records(pair, held, who)
            seen = {event_id: event for event_id, event in events.items()
                    if (VISIT, records.CareEvent.FromString(event).visit_id) in held}
            here = {record_id: payload for (kind, record_id), payload in held.items() if kind == CARE_EVENT}
            expect_same(here, seen, f"{who}: the care events (held first)")
        return len(events)


def record_something(pair, chance):
    """One of each kind from the Python phone, a note from the other, on visits of the carer."""
    visits = pair.visits()
    if not visits:
        return
    visit = chance.choice(visits)
    pair.python.record(visit, "visit_started")
    text = "Zoë hat gut gegessen\n" * chance.randint(1, 40)
    for kind, *options in (("activity_outcome", "--activity", "1"), ("note", "--text", text),
                           ("form_submitted", "--answer", "mood=good", "--answer", "pain=none"), ("rota_change_seen",)):
        pair.python.record(chance.choice(visits), kind, *options)
    pair.python.record(visit, "visit_finished")
    pair.cli.note(chance.choice(visits), "from the other phone " * chance.randint(1, 40))


def check_rounds(agency, chance):
    """Rota changes between recording and uploading, and before the next sync."""
    for number in range(ROUNDS):
        for pair in chance.sample(agency.pairs, len(agency.pairs) // 2):
            record_something(pair, chance)
        agency.take(changed_rota(agency.rota, chance))
        for _ in range(2):  # In the second everybody hears of what everybody uploaded in the first.
            for pair in agency.pairs:
                pair.sync("--type", chance.choice(["standard", "auto"]))
        count = agency.check(f"round {number}")
    expect(count > 30, f"only {count} events were accepted: too few to show anything")
    delivered = [delivery["event_id"] for delivery in agency.cli.json_lines("care-events")]
    once = len(delivered) == len(set(delivered)) == count
    expect(once, f"the rostering system reads {len(delivered)} events of {count}")
    return count


# Requirement: S12
def check_access(agency, office, chance):
    """A group and single carers see service users of others, with their care plans, until they may not any more."""

    def sync_all(when):
        for pair in agency.pairs:
            pair.sync()
        agency.check(when)

    def external_ids(caregivers):
        return [f"{agency.rota['name']}/{caregiver}" for caregiver in caregivers]

    def put_plan(number, patient):
        plan_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"plan/{number}"))
        text = f"{number + 1} of the white ones, before breakfast. " * 60
        agency.plans[plan_id] = patient, office.put_care_plan(plan_id, agency.service_user(patient), text)
        return plan_id

    visited = sorted({patient for stops in map(expected_visits(agency.rota).get, agency.names.values()) for patient in stops})
    of_group, of_carer, of_both, of_none = chance.sample(visited, 4)
    members = chance.sample(sorted(agency.ids), 3)
    single = chance.choice([caregiver for caregiver in sorted(agency.ids) if caregiver not in members])
    group = office.send_group("night-team", external_ids(members))
    office.set_access(agency.service_user(of_group), group_ids=[group])
    office.set_access(agency.service_user(of_carer), carer_ids=[agency.ids[single]])
    office.set_access(agency.service_user(of_both), group_ids=[group], carer_ids=[agency.ids[single], agency.ids[members[0]]])
    agency.access = {of_group: set(members), of_carer: {single}, of_both: {single, *members}}
    plans = [put_plan(number, patient) for number, patient in enumerate((of_group, of_carer, of_both, of_none))]
    held_by_strangers = sum(patient not in expected_visits(agency.rota)[caregiver]
                            for patient, caregivers in agency.access.items() for caregiver in caregivers)
    expect(held_by_strangers > 0, "whoever was given access visits there anyway: this shows nothing")
    sync_all("after access was given")

    office.send_group("night-team", external_ids(members[1:]))
    agency.access = {of_group: set(members[1:]), of_carer: {single}, of_both: {single, *members}}
    office.delete_care_plan(plans[0])
    del agency.plans[plans[0]]
    put_plan(4, of_group)
    sync_all("after a carer left the group")

    office.send_group("night-team", external_ids(members[1:]), dissolved=True)
    office.set_access(agency.service_user(of_carer))
    agency.access = {of_both: {single, members[0]}}
    sync_all("after the group was dissolved")


# Requirement: S11
def check_clean_syncs(agency):
    for pair in agency.pairs:
        before = pair.python.held()
        lines = pair.sync("--type", "clean")
        reasons = [line["reason"] for line in of_event(lines, "rebuild")]
        expect(reasons == ["REBUILD_REASON_CLEAN_SYNC"], f"a clean sync made a copy because {reasons}")
        expect_same(pair.python.held(), before, "a clean sync changed what is held (after it first)")
        lines = pair.python.sync()
        expect([line["event"] for line in lines] == ["started", "caught_up", "sync_recorded", "end"],
               f"not one message: {lines}")
    agency.check("after clean syncs")


def check_kills(agency):
    """A phone that is killed before it stored a batch, before its ack, after it: at each batch of a new copy beside the old one."""
    pair = max(agency.pairs, key=lambda pair: len(pair.visits()))
    phone, kills = pair.python, 0
    for step in ("batch_received:2", "batch:1", "acked:1"):
        before = phone.held()
        begun, came = 0, set()
        while True:
            lines = phone.sync("--type", "clean", "--kill-at", step, status=(0, -signal.SIGKILL))
            begun += len(of_event(lines, "rebuild"))
            batches = [
                tuple(key) for line in of_event(lines, "batch") if not line["next_visits"] for key in line["upserts"]
            ]
            expect(not came.intersection(batches), f"{step}: what was durable came again: {came.intersection(batches)}")
            came.update(batches)
            expect_same(phone.held(), before, f"{step}: the copy in use changed (now first)")
            kills += not of_event(lines, "end")
            if of_event(lines, "caught_up"):
                break
        # Where the ack of the end was lost, any sync is told so; another clean one would make another copy.
        lines = phone.sync()
        expect(end_of(lines)["outcome"] == "succeeded" and not of_event(lines, "batch"), f"{step}: {lines}")
        expect(begun == 1, f"{step}: the copy was begun {begun} times")
        expect(came == set(before), f"{step}: the batches together are not the copy")
    expect(kills >= 20, f"only {kills} kills: too few to show anything")
    return kills


def check_kills_at_any_moment(agency, chance):
    """From outside, after a line that is chosen by chance, in every kind of sync."""
    for number in range(12):
        pair = chance.choice([pair for pair in agency.pairs if pair.visits()])
        for _ in range(3):
            pair.python.record(chance.choice(pair.visits()), "note", "--text", f"before kill {number}")
        if number % 3 == 0:
            agency.take(changed_rota(agency.rota, chance))
        options = ["--type", "clean"] if number % 2 and not pair.python.shown()["unsent"] else ["--type", "auto"]
        with pair.python.start_sync(*options) as process:
            for _ in range(chance.randint(0, 8)):
                process.stdout.readline()
            process.kill()
    for _ in range(2):
        for pair in agency.pairs:
            pair.sync()
    agency.check("after kills at any moment")


def check_history(agency):
    """The server counts what the phones say: all ended well, and some told why they had not."""
    for pair in agency.pairs:
        device = agency.cli.json("device", "show", pair.python.uuid)
        expect(device["missing_event_numbers"] == 0, f"numbers are missing: {device}")
        expect(device["state"] == "DEVICE_STATE_CURRENT", f"a phone is not current: {device}")
    causes = {
        sync["interruption"]
        for pair in agency.pairs for sync in agency.cli.json("syncs", pair.python.uuid)["syncs"]
    }
    expect("INTERRUPTION_CAUSE_UNKNOWN" in causes, f"no phone told of its interruption: {causes}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    with open(options.rota, encoding="utf-8") as file:
        rota = json.load(file)
    chance = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder, Server(options.bin_dir, "--batch-bytes", BATCH_BYTES) as server:
        agency = Agency(server, folder, rota)
        for pair in agency.pairs:
            expect(end_of(pair.sync())["outcome"] == "succeeded", "the first sync")
        agency.check("after the first sync")
        events = check_rounds(agency, chance)
        with Office(agency.cli) as office:
            check_access(agency, office, chance)
        check_clean_syncs(agency)
        kills = check_kills(agency)
        check_kills_at_any_moment(agency, chance)
        check_history(agency)
        print(f"{len(agency.pairs)} carers with a phone of each make, {ROUNDS} changed rotas, {events} events, "
              f"{kills} kills: they agree")


if __name__ == "__main__":
    main()
