"""A receiver of webhooks on the loopback for tests: it answers each device's notices as that device's script says."""

import base64
import hashlib
import hmac
import http.server
import json
import queue
import os
import socket
import ssl
import subprocess
import threading
import time

from caresync_process import expect
from served import Served

# By which a receiver takes a notice for one of now.
FRESH_SECONDS = 300


class Post:
    """What came, as it came."""

    def __init__(self, path, headers, body):
        self.path = path
        self.headers = headers
        self.body = body
        # None of what is told of many at once: no script is that one's, and it has no answer.
        self.device = json.loads(body).get("device_uuid")

    def check_signature(self, key):
        """As docs/webhooks.md says."""
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        tag = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        expect(self.headers["webhook-signature"] == "v1," + tag, f"the signature is wrong: {self.headers}")
        age = abs(time.time() - int(self.headers["webhook-timestamp"]))
        expect(age < FRESH_SECONDS, f"the time is wrong: {self.headers}")


def status(code):
    """Answers with this status."""
    return lambda handler: handler.end(code)


def hang(handler):
    """Answers only when nobody waits for it any more."""
    handler.connection.settimeout(120)
    try:
        handler.connection.recv(1)
        handler.end(200)
    except OSError:
        pass


def twice(first, second):
    """Gives two answers to one notice."""

    def answer(handler):
        handler.end(first)
        handler.end(second)

    return answer


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        post = Post(self.path, self.headers, body)
        self.server.posts.put(post)
        self.server.next_of(post.device)(self)

    def end(self, code):
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()

    def log_message(self, *arguments):
        pass


def own_certificate(folder):
    """A file with a certificate of 127.0.0.1 that nobody trusts, and its key."""
    path = os.path.join(folder, "certificate.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1",
                    "-keyout", path, "-out", path + ".public"], check=True, capture_output=True)
    with open(path, "a") as file, open(path + ".public") as public:
        file.write(public.read())
    return path


class Receiver(Served, http.server.ThreadingHTTPServer):
    """From `with` to its end. `posts` is a queue of what came."""

    address_family = socket.AF_INET

    def __init__(self, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        self.posts = queue.Queue()
        self.scripts = {}
        self.lock = threading.Lock()

    def handle_error(self, request, client_address):
        # Who waited for a late answer has gone.
        pass

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}/push"

    def script(self, device, *answers):
        """The device's next answers; the last one is repeated."""
        with self.lock:
            self.scripts[device] = list(answers)

    def next_of(self, device):
        with self.lock:
            answers = self.scripts[device]
            return answers.pop(0) if len(answers) > 1 else answers[0]
