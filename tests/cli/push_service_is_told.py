"""Devices that are not connected are woken by the agency's push service, which fails, hangs, answers late or twice."""

import argparse
import base64
import json
import os
import tempfile

from caresync_process import PATIENCE, Server, expect, wait_until
from webhook_receiver import Receiver, hang, own_certificate, status, twice

TENANT = "agency"
ALLOWED = ("--webhooks-allow-http", "--webhooks-allow-private")
KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def phone(number):
    return f"5e000000-0000-4000-8000-{number:012d}"


TAKES, FAILS, HANGS, TWICE, AFTER_RESTART, UNTRUSTED, NEVER_ASKED = (phone(number) for number in range(1, 8))


def check_post(post):
    post.check_signature(KEY)
    expect(post.path == "/push" and post.headers["Content-Type"] == "application/json", post.headers)
    expect(json.loads(post.body) == {"device_uuid": post.device, "what": "sync"}, post.body)


def receive(receiver, counts):
    """What comes until each device in `counts` was told so often, checked; by device, in the order it came."""
    posts = {device: [] for device in counts}
    order = []
    while any(len(posts[device]) < count for device, count in counts.items()):
        post = receiver.posts.get(timeout=PATIENCE)
        check_post(post)
        posts[post.device].append(post)
        order.append(post.device)
    for device, count in counts.items():
        expect(len(posts[device]) == count, f"{device} was told {len(posts[device])} times, not {count}")
        ids = {post.headers["webhook-id"] for post in posts[device]}
        expect(len(ids) == 1, f"one notice has several IDs: {ids}")
    return posts, order


def woken(cli, device):
    return cli.json("device", "show", device).get("last_woken_time")


def check_unallowed(bin_dir, secret_file):
    with Server(bin_dir) as server:
        cli = server.cli(TENANT)
        cli.run("tenant", "create", TENANT)
        for url in ("https://127.0.0.1/push", "https://localhost/push", "https://169.254.169.254/", "https://[::1]/",
                    "http://push.example.org/", "ftp://push.example.org/"):
            _, told = cli.run("tenant", "set", TENANT, "--push-webhook", url, "--push-webhook-secret", secret_file,
                              status=1)
            expect("push_webhook.url" in told, f"{url}: {told}")
        cli.run("tenant", "set", TENANT, "--push-webhook", "https://push.example.org/", status=1)
        cli.run("device", "update", NEVER_ASKED, "--enrol")
        asked = cli.json("device", "request-sync", NEVER_ASKED)
        expect(not asked["told"] and not asked["wake_asked"], asked)


def check_wakes(server, cli, receiver):
    for device in (TAKES, FAILS, HANGS, TWICE):
        cli.run("device", "update", device, "--enrol")
    receiver.script(TAKES, status(204))
    receiver.script(FAILS, status(503), status(500), status(204))
    receiver.script(HANGS, hang, status(204))
    receiver.script(TWICE, twice(503, 204), status(204))
    # The one that hangs goes first, and is in nobody's way.
    for device in (HANGS, TAKES, FAILS, TWICE):
        asked = cli.json("device", "request-sync", device)
        expect(asked["wake_asked"] and not asked["told"], asked)
        expect(asked.get("last_woken_time") is None, asked)
    _, order = receive(receiver, {HANGS: 2, TAKES: 1, FAILS: 3, TWICE: 2})
    expect(order[-1] == HANGS, f"the others waited for the one that hangs: {order}")
    for device in (HANGS, TAKES, FAILS, TWICE):
        wait_until(f"{device} was woken", lambda: woken(cli, device))
        expect(cli.json("device", "show", device)["wake_asked_time"], "nobody asked for it")
    expect(cli.json("outbox")["notices"] == [], "something waits that was taken")
    expect(cli.json("outbox", "--given-up")["notices"] == [], "something was given up")
    expect(receiver.posts.empty(), "a notice that was taken came again")


def check_untrusted(cli, url, folder):
    """Over https nothing is sent to whoever cannot show who it is."""
    cli.run("device", "update", UNTRUSTED, "--enrol")
    with Receiver(own_certificate(folder)) as stranger:
        stranger.script(UNTRUSTED, status(204))
        cli.run("tenant", "set", TENANT, "--push-webhook", stranger.url)
        cli.run("device", "request-sync", UNTRUSTED)
        wait_until("the failure is noted", lambda: [n["failures"] > 0 for n in cli.json("outbox")["notices"]] == [True])
        failure = cli.json("outbox")["notices"][0]["failure"]
        expect("certificate" in failure, failure)
        expect(stranger.posts.empty(), "it was sent to a stranger")
    cli.run("tenant", "set", TENANT, "--push-webhook", url)
    wait_until(f"{UNTRUSTED} was woken", lambda: woken(cli, UNTRUSTED))


def check_log(server):
    with open(server.log.name) as log:
        expect(SECRET.removeprefix("whsec_") not in log.read(), "the secret is in the log")


def check_restart(server, cli, receiver):
    """A notice that waits outlives the server; asking again puts no second one in."""
    cli.run("device", "update", AFTER_RESTART, "--enrol")
    receiver.script(AFTER_RESTART, status(503))
    cli.run("device", "request-sync", AFTER_RESTART)
    cli.run("device", "request-sync", AFTER_RESTART)
    first = receiver.posts.get(timeout=PATIENCE)
    wait_until("the failure is noted", lambda: [n["failures"] > 0 for n in cli.json("outbox")["notices"]] == [True])
    notice = cli.json("outbox")["notices"][0]
    expect(notice["failure"] == "answered 503" and notice["subject"] == AFTER_RESTART, notice)
    server.crash()
    receiver.script(AFTER_RESTART, status(204))
    server.start()
    cli = server.cli(TENANT)
    wait_until("the device was woken", lambda: woken(cli, AFTER_RESTART))
    while not receiver.posts.empty():
        post = receiver.posts.get()
        expect(post.headers["webhook-id"] == first.headers["webhook-id"], "it came again under another ID")
    expect(cli.json("outbox")["notices"] == [], "something waits that was taken")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--rota", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        secret_file = os.path.join(folder, "secret")
        with open(secret_file, "w") as file:
            file.write(SECRET + "\n")
        check_unallowed(options.bin_dir, secret_file)
        with Receiver() as receiver, Server(options.bin_dir, *ALLOWED) as server:
            cli = server.cli(TENANT)
            cli.run("tenant", "create", TENANT)
            tenant = cli.json("tenant", "set", TENANT, "--push-webhook", receiver.url, "--push-webhook-secret",
                              secret_file)
            expect(tenant["push_webhook"]["url"] == receiver.url, tenant)
            expect(SECRET not in json.dumps(cli.json("tenant", "show", TENANT)), "the secret was told")
            check_wakes(server, cli, receiver)
            receiver.script(UNTRUSTED, status(204))
            check_untrusted(cli, receiver.url, folder)
            receiver.posts.get(timeout=PATIENCE)
            check_log(server)
            check_restart(server, cli, receiver)
            check_log(server)
        print("each notice came, signed, until it was taken")


if __name__ == "__main__":
    main()
