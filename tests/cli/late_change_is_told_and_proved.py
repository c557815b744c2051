"""A visit that begins soon is moved while its carer's phone is off: the office is told in time, by webhook and by mail;
once the phone has synced that is over; and what it showed when can be proved afterwards.

It lasts two and a half minutes, and nearly all of that is the time that the server gives a phone and the office."""

import argparse
import base64
import concurrent.futures
import copy
import datetime
import json
import os
import queue
import signal
import tempfile
import threading

from caresync_process import PATIENCE, Server, expect, wait_until
from mail_receiver import MailReceiver
from webhook_receiver import Receiver, status

TENANT = "agency"
AGENCY = "An Agency of Rome"
SOURCE = "rota-import"
KEY = bytes(range(32, 64))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OFFICE = "office@agency.test"
SENDER = "caresync@agency.test"

# Near enough that the mismatch is due as soon as any is (docs/rules.md), and far enough that all this is over by then.
BEGINS_IN = datetime.timedelta(minutes=20)
MOVED_BY = datetime.timedelta(minutes=10)
SOONEST = datetime.timedelta(minutes=2)


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def at(time):
    """The option of `caresync device-view`."""
    return ["--at", time if isinstance(time, str) else time.isoformat()]


def phone(number):
    return f"5e000000-0000-4000-8000-{number:012d}"


def minutes(length):
    return length / datetime.timedelta(minutes=1)


class Rota:
    """A published rota, on the day and at the hour at which one visit of one carer alone begins soon."""

    def __init__(self, path):
        with open(path) as file:
            self.published = json.load(file)
        routes = self.published["routes"]
        stops = [(route["caregiver_id"], stop) for route in routes for stop in route.get("locations", [])]
        patients = [stop["patient"] for _, stop in stops]
        caregiver, stop = next((who, stop) for who, stop in stops if patients.count(stop["patient"]) == 1)
        self.carer = f"{self.published['name']}/{caregiver}"
        self.patient = stop["patient"]
        arrival = datetime.timedelta(minutes=stop["arrival_time"])
        # The importer takes the day's start by the minute.
        self.day_start = (now() + BEGINS_IN - arrival).replace(second=0, microsecond=0)
        self.start = self.day_start + arrival
        self.new_start = self.start + MOVED_BY

    def changed(self):
        """The same, with that visit moved."""
        rota = copy.deepcopy(self.published)
        for route in rota["routes"]:
            for stop in route.get("locations", []):
                if stop["patient"] == self.patient:
                    stop["arrival_time"] += minutes(MOVED_BY)
                    stop["departure_time"] += minutes(MOVED_BY)
        return rota

    def send(self, cli, rota):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(rota, file)
            file.flush()
            told = cli.json("import-rota", file.name, "--source", SOURCE, "--date", f"{self.day_start:%Y-%m-%d}",
                            "--day-start", f"{self.day_start:%H:%M}")
        expect(told["rejected"] == [] and told["waiting"] == 0, f"not all was taken: {told}")
        return told


class Watcher:
    """`caresync mismatches --follow`, from `with` to its end: each mismatch as it is told."""

    def __init__(self, cli):
        self.process = cli.start("mismatches", "--follow", "--json")
        self.told = queue.Queue()
        self.reader = threading.Thread(target=self.read)

    def read(self):
        for line in self.process.stdout:
            self.told.put(json.loads(line))
        self.told.put({"mismatches": [], "ended": True})

    def __enter__(self):
        self.reader.start()
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=PATIENCE)
        self.reader.join()
        self.process.stdout.close()

    def expect_none(self):
        first = self.told.get(timeout=PATIENCE)
        expect(first["mismatches"] == [] and first["caught_up"], f"there are some already: {first}")

    def next(self, timeout=PATIENCE):
        """The next one, alone."""
        while True:
            told = self.told.get(timeout=timeout)
            expect("ended" not in told and len(told["mismatches"]) <= 1, f"not one alone: {told}")
            if told["mismatches"]:
                return told["mismatches"][0]


class Story:
    """One agency, its phones, and those whom it has told."""

    def __init__(self, cli, rota, webhooks, mails):
        self.cli = cli
        self.rota = rota
        self.webhooks = webhooks
        self.mails = mails
        carers = {carer["external_id"]: carer["carer_id"] for carer in cli.json("carers")["carers"]}
        self.phones = {external_id: phone(number) for number, external_id in enumerate(carers, start=1)}
        self.device = self.phones[rota.carer]
        self.carer_id = carers[rota.carer]
        webhooks.script(self.device, status(204))

    def sync(self, carer):
        end = self.cli.json("device", "sync", "--uuid", self.phones[carer], "--carer", carer)
        expect(end["outcome"] == "succeeded", f"{carer}: {end}")

    def shown(self):
        """What the carer's phone itself shows: of each visit, by its ID, the start and end of the carer's own part."""
        held = self.cli.json("device", "visits", "--uuid", self.device, "--carer", self.rota.carer)["visits"]
        return {visit["visit_id"]: own_part(visit["assignments"], self.carer_id) for visit in held}

    def mismatches(self, *wish):
        return self.cli.json("mismatches", "--carer", self.rota.carer, *wish)["mismatches"]

    def deliveries(self, visit):
        """The changes of the visit, the first one first, each with what became of it on the carer's phone."""
        told = self.cli.json("deliveries", "--visit", visit)["deliveries"]
        for delivery in told:
            devices = [device["device_uuid"] for device in delivery["devices"]]
            expect(delivery["carer_id"] == self.carer_id and devices == [self.device], f"of somebody else: {delivery}")
        return [(delivery, delivery["devices"][0]) for delivery in told]

    def view(self, when):
        """What the phone showed then, as the server can prove it, in the form of shown(). None: it held nothing."""
        views = self.cli.json("device-view", self.device, *when)["views"]
        expect([view["carer_id"] for view in views] == [self.carer_id], f"the phone is one carer's: {views}")
        told = views[0]
        if told["known"] == "DEVICE_VIEW_KNOWN_NO_COPY":
            return None
        expect(told["known"] == "DEVICE_VIEW_KNOWN_ALL" and all(visit["certain"] for visit in told["visits"]), told)
        return {visit["visit_id"]: (instant(visit["shown"]["start_time"]), instant(visit["shown"]["end_time"]))
                for visit in told["visits"]}


def own_part(assignments, carer_id):
    own = [part for part in assignments if part["carer_id"] == carer_id]
    return min(instant(part["start"]) for part in own), max(instant(part["end"]) for part in own)


def all_phones_sync(story):
    """Once each, as in the morning; nothing is left to be raised then."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
        for done in [pool.submit(story.sync, carer) for carer in story.phones]:
            done.result()
    expect(story.cli.json("mismatches")["mismatches"] == [], "a phone lacks what it was sent")


def check_mismatch(story, mismatch, visit):
    """It says in time what the phone does not have, and why."""
    rota = story.rota
    expect((mismatch["carer_id"], mismatch["visit_id"]) == (story.carer_id, visit), mismatch)
    expect(mismatch["state"] == "MISMATCH_STATE_AT_RISK" and mismatch["cause"] == "MISMATCH_CAUSE_SILENT", mismatch)
    expect(mismatch["changes"] == ["VISIT_CHANGE_KIND_MOVED"], mismatch)
    expect(instant(mismatch["from"]["start_time"]) == rota.start, mismatch)
    expect(instant(mismatch["to"]["start_time"]) == rota.new_start, mismatch)
    expect(mismatch["device"]["device_uuid"] == story.device, mismatch)
    expect(SOONEST <= instant(mismatch["open_time"]) - instant(mismatch["last_change_time"]), f"too soon: {mismatch}")
    expect(instant(mismatch["open_time"]) < rota.start, f"not before the visit: {mismatch}")
    expect(story.mismatches() == [mismatch], story.mismatches())


def check_webhook(story, mismatch):
    post = story.webhooks.posts.get(timeout=PATIENCE)
    post.check_signature(KEY)
    told = json.loads(post.body)
    same = ("carer_id", "visit_id", "branch_id", "first_change_time", "last_change_time", "open_time",
            "next_state_time")
    expect({name: told[name] for name in same} == {name: mismatch[name] for name in same}, f"{told}, not {mismatch}")
    expect((told["what"], told["tenant_id"], told["device_uuid"]) == ("mismatch", TENANT, story.device), told)
    expect((told["state"], told["cause"], told["changes"]) == ("at_risk", "silent", ["moved"]), told)
    for name in ("from", "to"):
        for end in ("start_time", "end_time"):
            expect(told[name][end] == mismatch[name][end], f"{told}, not {mismatch}")
    expect(instant(told["start_time"]) == story.rota.start, f"the earlier start counts: {told}")
    expect(mismatch["carer_name"] not in post.body.decode(), "a webhook names nobody")


def check_mail(story, mismatch):
    mail = story.mails.mails.get(timeout=PATIENCE)
    expect(mail.receivers == mail.addresses("To") == [OFFICE] and mail.addresses("From") == [SENDER], mail.message)
    expect(f"{story.rota.start:%H:%M}" in mail.message["Subject"], mail.message["Subject"])
    expect(mismatch["carer_name"] not in mail.message["Subject"], mail.message["Subject"])
    changed = ("What changed: moved", f"Before: {story.rota.start:%d %B %Y, %H:%M} to ",
               f"Now: {story.rota.new_start:%d %B %Y, %H:%M} to ")
    for said in (mismatch["headline"], mismatch["advice"], *changed, mismatch["visit_id"], f"Agency: {AGENCY}"):
        expect(said in mail.text, f"{said!r} is not in:\n{mail.text}")
    expect(mismatch["to"]["service_user_name"] not in mail.text, "whom the visit is to is for those who may ask")


def check_nothing_more_is_told(story):
    wait_until("nothing waits to be told", lambda: story.cli.json("outbox")["notices"] == [])
    expect(story.cli.json("outbox", "--given-up")["notices"] == [], "something was given up")
    expect(story.webhooks.posts.empty() and story.mails.mails.empty(), "it was told more than once")


def check_resolved(story, resolved, mismatch, woken):
    expect(resolved["visit_id"] == mismatch["visit_id"] and resolved["state"] == "MISMATCH_STATE_RESOLVED", resolved)
    expect(resolved["resolution"] == "MISMATCH_RESOLUTION_SYNCED" and instant(resolved["end_time"]) >= woken, resolved)
    expect(resolved["open_time"] == mismatch["open_time"], f"another one: {resolved}")
    expect(story.mismatches() == [] and story.mismatches("--ended") == [resolved], story.mismatches("--ended"))


def check_not_yet_delivered(story, visit):
    (_, first), (change, second) = story.deliveries(visit)
    expect(first["state"] == "DELIVERY_STATE_APPLIED", first)
    expect(second["state"] == "DELIVERY_STATE_NOT_SENT" and second.get("applied_time") is None, second)
    expect(instant(change["visit"]["start_time"]) == story.rota.new_start, change)


def check_delivered(story, visit, sent_after, woken, synced):
    """By this device, in this sync, within these times."""
    (created, first), (change, second) = story.deliveries(visit)
    expect(instant(created["visit"]["start_time"]) == story.rota.start, created)
    expect(instant(change["visit"]["start_time"]) == story.rota.new_start, change)
    expect(change["source"] == SOURCE and created["revision"] < change["revision"], f"{created}, {change}")
    way = [sent_after, *(instant(change[name]) for name in ("source_changed_time", "received_time", "committed_time")),
           woken, *(instant(second[name]) for name in ("sent_time", "applied_time")), synced]
    expect(way == sorted(way), f"not the order in which it happened: {way}")
    expect(second["state"] == "DELIVERY_STATE_APPLIED", second)
    syncs = {sync["session_id"]: sync for sync in story.cli.json("syncs", story.device)["syncs"]}
    numbers = (first["sync_number"], second["sync_number"])
    expect(len(syncs) == 2 and numbers == (1, 2), f"brought by {numbers} of {list(syncs)}")
    expect(syncs[second["session_id"]]["upserts_sent"] == 1, "the second sync brought the change and nothing else")
    output, _ = story.cli.run("deliveries", "--visit", visit)
    _, *rows, count = output.splitlines()
    expect(count == "2 changes" and len(rows) == 2 and all(" applied " in row for row in rows), output)


def shown_as_text(story, visit, when):
    """Of the visit's line for people, the day and the time of the start."""
    output, _ = story.cli.run("device-view", story.device, "--carer", story.rota.carer, *when)
    lines = [line for line in output.splitlines() if visit in line]
    expect(len(lines) == 1, f"not one line of {visit}:\n{output}")
    return " ".join(lines[0].split()[:2])


def check_views(story, visit, times, before, after):
    """At each moment the server can prove what the phone itself said that it showed."""
    expect(story.view(times["before the first sync"]) is None, "it held nothing yet")
    for held, moments in ((before, ("before the change", "when the mismatch opened", "before the second sync")),
                          (after, ("after the second sync", "now"))):
        for moment in moments:
            proved = story.view(times[moment])
            expect(proved == held, f"{moment} the phone showed {held}; the server says {proved}")
    expect(before[visit][0] == story.rota.start, before)
    expect(after[visit][0] == story.rota.new_start, after)
    expect(before.keys() == after.keys(), "another visit came or went")
    for moment, start in (("before the change", story.rota.start), ("now", story.rota.new_start)):
        shown = shown_as_text(story, visit, times[moment])
        expect(shown == f"{start:%Y-%m-%d %H:%M:%S}", f"{moment} a person reads {shown}")


def play(story):
    times = {"before the first sync": at(now()), "now": []}
    all_phones_sync(story)
    before = story.shown()
    visit = next(visit for visit, (start, _) in before.items() if start == story.rota.start)
    with Watcher(story.cli) as watcher:
        watcher.expect_none()
        changing = now()
        times["before the change"] = at(changing)
        told = story.rota.send(story.cli, story.rota.changed())
        expect((told["created"], told["updated"]) == (0, 1), f"not one visit was changed: {told}")

        mismatch = watcher.next(timeout=SOONEST.total_seconds() + PATIENCE)
        times["when the mismatch opened"] = at(mismatch["open_time"])
        check_mismatch(story, mismatch, visit)
        check_webhook(story, mismatch)
        check_mail(story, mismatch)
        check_not_yet_delivered(story, visit)

        woken = now()
        times["before the second sync"] = at(woken)
        expect(story.shown() == before, "the phone was off, and shows something else than before")
        story.sync(story.rota.carer)
        synced = now()
        times["after the second sync"] = at(synced)
        check_resolved(story, watcher.next(), mismatch, woken)
    check_delivered(story, visit, changing, woken, synced)
    check_views(story, visit, times, before, story.shown())
    check_nothing_more_is_told(story)


def set_up(cli, rota, url):
    cli.run("tenant", "create", TENANT, "--name", AGENCY, "--time-zone", "UTC")
    with tempfile.TemporaryDirectory() as folder:
        secret_file = os.path.join(folder, "secret")
        with open(secret_file, "w") as file:
            file.write(SECRET + "\n")
        cli.run("notifications", "set", "--webhook", url, "--webhook-secret", secret_file, "--email", OFFICE)
    rota.send(cli, rota.published)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    rota = Rota(options.rota)
    with Receiver() as webhooks, MailReceiver() as mails:
        allowed = ("--webhooks-allow-http", "--webhooks-allow-private", "--smtp-url", mails.url, "--smtp-from", SENDER)
        with Server(options.bin_dir, *allowed) as server:
            cli = server.cli(TENANT)
            set_up(cli, rota, webhooks.url)
            play(Story(cli, rota, webhooks, mails))
    print("the office was told before the visit, and what the phone showed is proved")


if __name__ == "__main__":
    main()
