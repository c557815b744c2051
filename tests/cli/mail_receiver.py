"""A mail server on the loopback for tests: it speaks as much SMTP as it takes to be given mail, and takes all of it."""

import email
import email.policy
import queue
import socketserver

from served import Served


class Mail:
    """What came: for whom, by the dialogue and not by the headers, and the message."""

    def __init__(self, receivers, message):
        self.receivers = receivers
        self.message = email.message_from_bytes(message, policy=email.policy.default)

    @property
    def text(self):
        return self.message.get_body(preferencelist=("plain",)).get_content()

    def addresses(self, header):
        return [address.addr_spec for address in self.message[header].addresses]


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        receivers = []
        self.say("220 mail.test")
        for line in self.rfile:
            command = line.decode().strip()
            if command.upper().startswith("RCPT TO:"):
                receivers.append(command[len("RCPT TO:"):].strip().strip("<>"))
            if command.upper() == "DATA":
                self.say("354 Go on")
                self.server.mails.put(Mail(receivers, self.read_message()))
                receivers = []
            if command.upper() == "QUIT":
                return self.say("221 Bye")
            self.say("250 OK")

    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())

    def read_message(self):
        """The message as it was written: a dot that begins a line is doubled on its way."""
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        raise ConnectionError("the message has no end")


class MailReceiver(Served, socketserver.ThreadingTCPServer):
    """From `with` to its end. `mails` is a queue of what came."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.mails = queue.Queue()

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.server_address[1]}"
