#!/usr/bin/env python3
"""Makes the seeds of the fuzz targets: inputs in the form that each target's file tells, small and by name. What a fuzzer found is kept
beside them, under a name that says what it was; this leaves it alone.

usage: make_seeds.py            (from anywhere; needs protoc)
"""
import pathlib
import struct
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
PROTOS = HERE.parent.parent / "protos"

MOST, LEAST = 2**63 - 1, -2**63
DEVICE = "11111111-1111-4111-8111-111111111111"
PLAN = "22222222-2222-4222-8222-222222222221"
UNKNOWN = "33333333-3333-4333-8333-333333333333"


def message(name, text=""):
    """The bytes of a message in protobuf's text form."""
    package, kind = name.rsplit(".", 1)
    files = {"caresync.store": ["caresync/store/stored.proto", "caresync/store/mismatch.proto"],
             "caresync.v1": ["caresync/v1/device_sync.proto", "caresync/v1/roster.proto", "caresync/v1/records.proto"]}[package]
    return subprocess.run(["protoc", f"-I{PROTOS}", f"--encode={package}.{kind}", *files], input=text.encode(), check=True,
                          capture_output=True, cwd=PROTOS).stdout


def chunk(data):
    return struct.pack(">H", len(data)) + data


def text(value):
    """As storage/tuple.h writes a string."""
    return value.replace(b"\0", b"\0\xff") + b"\0\x01"


def number(value):
    return struct.pack(">Q", value % 2**64)


def time_in_key(value):
    return number(value ^ 2**63)


# ---- keys

def keys():
    uuid, record = bytes(range(16)), b"\x06" + bytes(range(16))
    tenant = text(b"acme")
    layouts = {
        "task": b"t" + time_in_key(5) + text(b"task"), "record": b"r" + text(record), "grant": b"g" + 3 * text(record),
        "child": b"c" + 2 * text(record), "group_of": b"o" + text(record) + text(b""), "visit_by_start": b"b" + time_in_key(-5) + text(record),
        "visit_end": b"e" + uuid + time_in_key(MOST) + text(record), "review": b"v" + text(b"event") + text(b"digest"),
        "review_by_revision": b"d\x02" + number(7) + text(b"event") + text(b"digest"), "timeline": b"l" + number(1),
        "device_row": b"d" + uuid + b"\x04", "sync": b"y" + uuid + number(~3), "sync_of_carer": b"c" + uuid + number(9) + uuid + number(~1),
        "feed_entry": b"e" + text(b"c" + uuid) + number(4) + text(record), "mismatch_look": b"D" + time_in_key(-5) + uuid + text(record), "open_mismatch": b"O" + uuid + text(record),
        "listed_mismatch": b"L\x02" + time_in_key(-MOST) + uuid + text(record), "half_a_zero": b"r" + b"a\0", "wrong_mark": b"r" + b"a\0\x02b\0\x01",
    }
    seeds = {name: b"\0" + tenant + rest for name, rest in layouts.items()}
    seeds["no_tenant"] = b"\0" + text(b"") + b"n" + text(b"acme")
    seeds["tuples_with_zeros"] = b"\x01\x02\0" + chunk(b"a\0") + chunk(b"a\0\xff") + b"\0" + chunk(b"") + chunk(b"\0")
    seeds["tuples_of_numbers"] = b"\x01\x02\x01" + number(1) + number(256) + b"\x01" + number(2**64 - 1) + number(0)
    seeds["tuples_of_both"] = b"\x01\x02\0" + chunk(b"same") + chunk(b"same") + b"\x01" + number(1) + number(2)
    for name, first, second in (("times", 1, 2), ("times_below_zero", -1, 1), ("times_at_the_ends", MOST, LEAST)):
        seeds[name] = b"\x02" + number(first) + chunk(b"a") + number(second) + chunk(b"b")
    return seeds


# ---- rows

# In the order of MakeRows in rows.cc.
ROWS = ["tenant", "head", "edges", "release", "standing", "source_state", "carer", "service_user", "visit", "group", "care_plan", "event",
        "waiting", "review", "identity", "group_of", "task", "feed_head", "feed_place", "device", "session", "call", "report", "events", "sync",
        "mismatch", "looks", "in_use"]


def replaced(row, data):
    return b"\0" + struct.pack(">H", ROWS.index(row)) + chunk(data)


def added(row, form, fields):
    return b"\x01" + struct.pack(">H", ROWS.index(row)) + chunk(message("caresync.store." + form, fields))


def new_row(space, key, value=b""):
    return b"\x02" + bytes([space]) + chunk(key) + chunk(value)


def rows():
    seeds = {"whole": b""}
    for row in ROWS:
        seeds[f"{row}_of_no_form"] = replaced(row, b"\xff\xff\xff")
        seeds[f"{row}_empty"] = replaced(row, b"")
    for where, time in (("late", MOST), ("early", LEAST)):
        for row, form, fields in (
                ("device", "Device", "enrolled_time_us: {0}"), ("device", "Device", "clone_cleared_us: {0}"),
                ("device", "Device", 'drops {{ carer_id: "%s" dropped_time_us: {0} }}' % UNKNOWN), ("call", "DeviceCall", "time_us: {0}"),
                ("report", "DeviceReport", "last_success_us: {0}"), ("report", "DeviceReport", "earliest_next_sync_us: {0}"),
                ("report", "DeviceReport", "take_over_times_us: {0}"), ("sync", "SyncRow", "start_time_us: {0}"),
                ("sync", "SyncRow", "end_time_us: {0}"), ("event", "Record", "created_time_us: {0}"),
                ("visit", "Record", "origin {{ changed_time_us: {0} }}"), ("review", "ReviewItem", "received_time_us: {0}"),
                ("review", "ReviewItem", "resolved_time_us: {0}"), ("identity", "EventIdentity", "received_time_us: {0}"),
                ("tenant", "Tenant", "create_time_us: {0}"), ("tenant", "Tenant", "auto_sync_interval_s: {0}"),
                ("tenant", "Tenant", "download_window_s: {0}"), ("tenant", "Tenant", "retention_s: {0}"),
                ("tenant", "Tenant", "restore_wait_s_plus_1: {0}"), ("head", "TenantHead", "commit_time_us: {0}"),
                ("edges", "WindowEdges", "opening {{ time_us: {0} }}"), ("edges", "WindowEdges", "closing {{ time_us: {0} }}"),
                ("edges", "WindowEdges", "download_window_s: {0}"), ("edges", "WindowEdges", "closing_free_us: {0}"),
                ("standing", "SourceStanding", "last_active_us: {0}"), ("release", "RebuildRelease", "time_us: {0}"),
                ("mismatch", "Mismatch", "now {{ start_us: {0} }}"), ("mismatch", "Mismatch", "acknowledged {{ end_us: {0} }}"),
                ("mismatch", "Mismatch", "last_change_us: {0}"), ("mismatch", "Mismatch", "due_us: {0}"), ("mismatch", "Mismatch", "ended_us: {0}"),
                ("mismatch", "Mismatch", "look_us: {0}"), ("mismatch", "Mismatch", "snoozed_until_us: {0}"),
                ("mismatch", "Mismatch", "transitions {{ time_us: {0} }}"), ("looks", "MismatchLooks", "next_due_us: {0}"),
                ("in_use", "DeviceInUse", "signed_in_us: {0}")):
            field = fields.split(":")[0].replace(" ", "_").replace("{{", "in")
            seeds[f"{row}_{field}_{where}"] = added(row, form, fields.format(time))
    seeds["record_under_anothers_key"] = added("service_user", "Record", f'record_id: "{UNKNOWN}"')
    seeds["record_of_another_kind"] = added("visit", "Record", "kind: RECORD_KIND_CARE_EVENT")
    seeds["record_of_no_kind"] = added("visit", "Record", "kind: 300")
    seeds["record_id_is_none"] = added("carer", "Record", 'record_id: "nobody"')
    seeds["visit_without_payload"] = added("visit", "Record", r'payload: "\377"')
    visit = message("caresync.v1.Visit", f'service_user_id: "{UNKNOWN}" assignments {{ carer_id: "{UNKNOWN}" start_time {{ seconds: {MOST} }} }}')
    # An explicit 0: a field that is added later counts.
    seeds["edges_without_retention"] = b"\x01" + struct.pack(">H", ROWS.index("edges")) + chunk(b"\x30\0" + message(
        "caresync.store.WindowEdges", "closing { time_us: 1772000000000000 }")) + new_row(
            0, b"q" + time_in_key(1772100000000000) + text(b"\x05" + bytes(range(16))))
    seeds["visit_at_no_time"] = b"\x01" + struct.pack(">H", ROWS.index("visit")) + chunk(b"\x1a" + bytes([len(visit)]) + visit)
    seeds["access_of_nobody"] = added("service_user", "Record", r'access: "" access: "g" access: "c\001"')
    seeds["waiting_change_without_record"] = replaced("waiting", message("caresync.store.WaitingChange", 'change { source: "rota" }'))
    seeds["feed_counts_nothing"] = replaced("feed_head", message("caresync.store.FeedHead", "last_revision: 1"))
    seeds["feed_counts_too_much"] = added("feed_head", "FeedHead", f"count: {2**64 - 1} removals: {2**64 - 1} last_revision: {2**64 - 1}")
    seeds["feed_counts_removals_that_are_not"] = added("feed_head", "FeedHead", "removals: 2047")
    seeds["feed_behind_its_horizon"] = added("feed_head", "FeedHead", f"horizon_revision: {2**64 - 1}")
    seeds["place_of_another_revision"] = added("feed_place", "FeedPlace", f"revision: {2**64 - 1} entry {{ payload_bytes: {2**64 - 1} }}")
    seeds["place_of_another_level"] = added("feed_place", "FeedPlace", f"entry {{ level_above_first: {2**32 - 1} }}")
    seeds["many_syncs"] = added("report", "DeviceReport", f"syncs: {2**64 - 1} take_overs: {2**64 - 1} failures_in_a_row: {2**32 - 1}")
    seeds["copies_of_nobody"] = added("report", "DeviceReport", 'copies { carer_id: "nobody" }')
    seeds["copy_of_another_time"] = added("report", "DeviceReport", f'copies {{ carer_id: "{UNKNOWN}" rebuild_number: {2**64 - 1} }}')
    seeds["users_are_nobody"] = added("device", "Device", 'carer_ids: "nobody"')
    seeds["call_of_an_unknown_state"] = added("call", "DeviceCall", "state: 99")
    seeds["sync_of_an_unknown_kind"] = added("sync", "SyncRow", "sync_type: 99 stage: 99 outcome: 99 interruption: 99 rebuild_reason: 99")
    seeds["release_of_no_time"] = replaced("release", message("caresync.store.RebuildRelease", 'opening: "now"'))
    seeds["head_at_the_end"] = added("head", "TenantHead", f"revision: {2**64 - 1}")
    seeds["head_of_another_timeline"] = added("head", "TenantHead", 'timeline: "another"')
    seeds["task_of_no_kind"] = replaced("task", message("caresync.store.Task", 'kind: "none" payload: "x"'))
    seeds["mismatch_about_nothing"] = replaced("mismatch", message("caresync.store.Mismatch", "state: OPEN"))
    seeds["mismatch_of_an_unknown_state"] = added("mismatch", "Mismatch", "state: 99")
    seeds["mismatch_without_its_places"] = added("mismatch", "Mismatch", f"state: OPEN rank: {LEAST} look_us: 1")
    seeds["mismatch_at_nobody"] = added("mismatch", "Mismatch", 'state: OPEN branch_id: "none" now { service_user_id: "nobody" }')
    seeds["mismatch_at_no_time"] = replaced("mismatch", message("caresync.store.Mismatch", "state: SNOOZED now { } withdrawn { } gone: 99"))
    seeds["looks_sweep_from_nowhere"] = added("looks", "MismatchLooks", r'sweeping: true swept: "\377"')
    seeds["looks_sweep_another_table"] = added("looks", "MismatchLooks", 'sweeping: true swept: "a"')
    seeds["looks_without_their_task"] = replaced("looks", message("caresync.store.MismatchLooks", "next_due_us: 1"))
    seeds["in_use_is_no_device"] = replaced("in_use", message("caresync.store.DeviceInUse", 'device_uuid: "phone"'))
    seeds["in_use_is_unknown"] = replaced("in_use", message("caresync.store.DeviceInUse", f'device_uuid: "{UNKNOWN}"'))
    for kind in ("roster/release", "records/window", "records/review", "records/fan_out", "feed/compact", "mismatch/look"):
        seeds["task_" + kind.replace("/", "_")] = replaced("task", message("caresync.store.Task", rf'kind: "{kind}" payload: "\001\377"'))
    record = b"\x06" + bytes(range(16))
    seeds["carer_of_no_group"] = new_row(0, b"o" + text(record) + text(b""))
    seeds["visit_at_the_end_of_time"] = new_row(0, b"b" + time_in_key(MOST) + text(record)) + new_row(0, b"q" + time_in_key(LEAST) + text(record))
    seeds["table_with_a_torn_key"] = b"".join(new_row(0, table + b"\0") for table in (b"t", b"g", b"c", b"v", b"m", b"b", b"l", b"y"))
    pair = bytes(range(16)) + text(record)
    seeds["mismatches_of_nobody"] = (new_row(0, b"O" + pair) + new_row(0, b"L\0" + time_in_key(LEAST) + pair) + new_row(0, b"L\x02" + time_in_key(MOST) + pair)
                                     + new_row(0, b"D" + time_in_key(LEAST) + pair) + new_row(0, b"M" + pair))
    seeds["mismatches_with_torn_keys"] = b"".join(new_row(0, table + b"\0") for table in (b"M", b"D", b"O", b"L\0"))
    seeds["feed_with_a_torn_key"] = new_row(1, b"e" + text(b"c" + bytes(16)) + b"\0")
    seeds["devices_with_torn_keys"] = new_row(2, b"d\0") + new_row(2, b"y\0") + new_row(2, b"c\0")
    return seeds


# ---- tokens

def tokens():
    claims = b'{"iss":"caresync","sub":"%s","role":"carer","tenant":"acme","device":"%s","exp":1772434800}' % (UNKNOWN.encode(), DEVICE.encode())
    seeds = {
        "no_credential": b"\0", "no_bearer": b"\0Basic abc", "no_jws": b"\0Bearer a.b.c", "no_dots": b"\0Bearer " + b"A" * 300,
        "alg_none": b"\0Bearer eyJhbGciOiJub25lIn0.e30.", "alg_is_no_text": b"\0Bearer eyJhbGciOjF9.e30.AAAA",
        "carers": b"\x01" + chunk(b"") + claims, "with_crit": b"\x01" + chunk(b'{"crit":["exp"]}') + claims,
        "no_claims": b"\x01" + chunk(b"") + b"[]", "deep_claims": b"\x01" + chunk(b"") + b"[" * 1000,
        "expires_beyond_all": b"\x01" + chunk(b"") + claims.replace(b"1772434800", b"1e308"),
        "expires_before_all": b"\x01" + chunk(b"") + claims.replace(b"1772434800", b"-1e308"),
        "expires_at_a_text": b"\x01" + chunk(b"") + claims.replace(b"1772434800", b'"soon"'),
        "begins_beyond_all": b"\x01" + chunk(b"") + claims.replace(b"}", b',"nbf":1e308}'),
        "operators": b"\x01" + chunk(b"") + b'{"iss":"caresync","sub":"o","role":"operator","exp":1772434800}',
        "no_page": b"\x02", "page_of_no_base64": b"\x02!!", "page_of_no_query": b"\x02AAAA", "page_of_everything": b"\x02" + b"_" * 64,
        "place_empty": b"\x03", "place_zeros": b"\x03" + bytes(64), "place_ones": b"\x03" + b"\xff" * 64,
        "place_of_a_sync": b"\x03" + number(MOST) + bytes(range(16)) + number(1), "place_of_an_event": b"\x03" + number(LEAST) + number(1) + text(b"x"),
        "place_number": b"\x0318446744073709551615", "place_of_another_tenant": b"\x03" + text(b"b") + b"d",
        "sealed_by_nobody": b"\x04" + b"x" * 200, "sealed_short": b"\x04x", "content_empty": b"\x05", "content_of_no_form": b"\x05\xff\xff",
    }
    for name, fields in (("of_another_device", f'device_uuid: "{UNKNOWN}" carer_id: "{UNKNOWN}"'),
                         ("at_the_end", f'revision: {2**64 - 1} position_revision: {2**64 - 1} rebuild_number: {2**64 - 1} '
                                        f'rebuild_began_plus_1: {2**64 - 1}')):
        seeds["content_" + name] = b"\x05" + message("caresync.store.ResumeToken", f'data_level: 2 timeline: "lost" {fields}')
    seeds["content_of_events"] = b"\x05" + message("caresync.store.StreamToken", f'reader: "rota" position_revision: {2**64 - 1}')
    return seeds


# ---- sync

def start(kind, fields=""):
    return b"\x01" + bytes([kind]) + chunk(message("caresync.v1.Start", fields))


def ack(fields=""):
    return b"\x02" + chunk(message("caresync.v1.Ack", fields))


def event(sequence, data):
    return b"\x03" + bytes([sequence]) + chunk(data)


def said(fields):
    return b"\0" + chunk(message("caresync.v1.SyncRequest", fields))


def sync():
    standard, clean, auto, rules, cut, ended, rota = 1, 2, 3, b"\x09", b"\x05", b"\x04", b"\x08"
    note = message("caresync.v1.CareEvent", f'carer_id: "{UNKNOWN}" visit_id: "{UNKNOWN}" occurred_time {{ seconds: 1 }} note {{ text: "x" }}')
    return {
        "nothing": b"", "whole": start(standard) + rules, "clean": start(clean) + rules, "auto": start(auto) + rules + b"\x06\x1e",
        "follows": start(standard, "follow: true") + rules + rota + rules + rota + b"\x06\xff" + rules + ended,
        "cut_and_again": rota + start(standard) + cut + start(standard) + ack() + cut + start(clean) + ack() + rules,
        "taken_over": rota + start(clean) + b"\x07" + rota + b"\x06\x28" + cut + start(standard) + rules,
        "start_twice": start(standard) + start(standard), "start_of_no_type": start(0), "empty_message": said("") + start(standard) + said(""),
        "ack_first": ack(), "ack_of_nothing": rota + start(standard) + said("ack { }"), "ack_of_no_token": rota + start(standard) + ack('resume_token: "x"'),
        "ack_of_another_sum": rota + start(standard) + ack("holds { count: 1 sum: 1 }") + ack("holds { count: 1 sum: 1 }"),
        "ack_of_drops": start(standard) + said(f'ack {{ dropped_carer_ids: "{UNKNOWN}" dropped_carer_ids: "x" }}'),
        "events": start(standard, "unsent_events: 2") + event(1, note) + event(1, note) + rules,
        "event_of_no_form": start(standard, "unsent_events: 2") + event(0, b"\xff") + event(255, b"") + rules,
        "event_at_no_time": start(standard, "unsent_events: 1") + event(1, message(
            "caresync.v1.CareEvent", f'visit_id: "{UNKNOWN}" occurred_time {{ seconds: {MOST} nanos: -1 }} note {{ text: "x" }}')) + rules,
        "upload_of_nothing": start(standard) + said("upload { }"), "resend_not_asked_for": start(standard) + said("upload { resend_complete: true }"),
        "event_without_id": start(standard) + said('upload { events { sequence: 18446744073709551615 event: "x" } }'),
        "times_beyond_all": start(standard, f"earliest_next_sync {{ seconds: {MOST} nanos: {2**31 - 1} }} device_time {{ seconds: {LEAST} }}") + rules,
        "all_that_starts_say": start(clean, f'data_level: 4294967295 unsent_events: 4294967295 open_visit_id: "x" last_interruption: 99 '
                                            f'resume_token: "x" uploads_token: "y" app_version: "0"'),
        "clean_with_work": start(clean, "form_in_progress: true"), "silent": start(standard, "unsent_events: 5") + b"\x06\xff",
        "never_starts": b"\x06\x0b", "half_closed": ended, "half_closed_with_events": start(standard, "unsent_events: 3") + ended + b"\x06\x05",
    }


# ---- apply_changes

def changes(how, fields):
    return bytes([how]) + chunk(message("caresync.v1.ApplyChangesRequest", fields))


def apply_changes():
    def visit(name, fields, of="user"):
        return changes(3, f'changes {{ external_id: "{name}" visit {{ service_user: "{of}" published: true {fields} }} }}')

    part = 'assignments { carer: "carer" start_time { seconds: 1772442000 } end_time { seconds: 1772445600 } } '
    return {
        "nothing": b"", "empty": changes(3, ""), "no_record": changes(3, 'changes { external_id: "x" }'),
        "another_source": changes(1, 'changes { source: "another" external_id: "x" carer { name: "x" } }'),
        "visit": visit("v", part), "visit_again": 2 * visit("v", part), "visit_cancelled": visit("visit", part + "cancelled: true"),
        "visit_of_nobody": visit("visit", ""), "visit_twice_one": visit("v", 2 * part),
        "activity": visit("v", part + 'planned_activities { activity_id: "a" activity_kind: "a" carer: "carer" planned_minutes: 5 }'),
        "activity_of_nobody": visit("v", part + 'planned_activities { activity_id: "a" activity_kind: "a" carer: "nobody" }'),
        "visit_at_no_time": visit("v", f'assignments {{ carer: "carer" start_time {{ seconds: {LEAST} }} end_time {{ seconds: {MOST} }} }}'),
        "visit_at_the_end_of_time": visit("v", 'assignments { carer: "carer" start_time { seconds: 253402300700 } '
                                               'end_time { seconds: 253402300799 nanos: 999999999 } }'),
        "visit_in_year_one": visit("v", 'assignments { carer: "carer" start_time { seconds: -62135596800 } end_time { seconds: -62135596700 } }'),
        "waits_and_comes": visit("v", part, "new") + changes(2, 'changes { external_id: "new" service_user { name: "new" } }'),
        "group": changes(3, 'changes { external_id: "group" employee_group { name: "g" carers: "carer" carers: "new" } } '
                            'changes { external_id: "new" carer { name: "new" } }'),
        "group_twice_one": changes(3, 'changes { external_id: "g" employee_group { name: "g" carers: "carer" carers: "carer" } }'),
        "group_dissolved": changes(3, 'changes { external_id: "group" employee_group { name: "g" dissolved: true } }'),
        "carer_leaves": changes(3, 'changes { external_id: "colleague" carer { name: "x" left: true } }'),
        "older_version": changes(3, 'changes { external_id: "carer" source_version: 5 carer { name: "x" } }')
                         + changes(2, 'changes { external_id: "carer" source_version: 4 carer { name: "y" } }'),
        "version_at_the_end": changes(3, f'changes {{ external_id: "carer" source_version: {2**64 - 1} carer {{ name: "x" }} }}'),
        "changed_at_no_time": changes(3, f'changes {{ external_id: "carer" changed_time {{ seconds: {MOST} }} carer {{ name: "x" }} }}'),
        "service_user": changes(3, 'changes { external_id: "user" service_user { name: "x" nhs_number: "9434765919" email: "a@b" '
                                   'date_of_birth { year: 1930 month: 2 day: 30 } location { latitude: 91 longitude: 0 } } }'),
        "names_no_text": changes(3, r'changes { external_id: "\000\001 " branch { name: "\n" } }'),
        "seen_another_store": changes(3, 'last_commit_seen { timeline: "lost" revision: 7 } resent: true') + changes(2, "last_commit_seen { revision: 1 }"),
    }


def main():
    for make in (keys, rows, tokens, sync, apply_changes):
        folder = HERE / "corpus" / make.__name__
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in make().items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
