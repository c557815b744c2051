"""A proxy on the loopback for tests, as one stands before a server: it ends TLS, and passes on what comes."""

import select
import socket
import socketserver
import ssl

from served import Served


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        # The handshake is made here, and not where connections are taken: one that never speaks TLS holds up no other.
        with self.server.tls.wrap_socket(self.request, server_side=True) as client, \
                socket.create_connection(self.server.behind) as server:
            other = {client: server, server: client}
            while True:
                # What TLS has read already shows on no socket.
                ready = [client] if client.pending() else select.select(list(other), [], [])[0]
                for end in ready:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    other[end].sendall(data)


class TlsProxy(Served, socketserver.ThreadingTCPServer):
    """From `with` to its end, before the server at `address`; `certificate` is a file with one of 127.0.0.1 and its key."""

    def __init__(self, certificate, address):
        super().__init__(("127.0.0.1", 0), Handler)
        host, port = address.rsplit(":", 1)
        self.behind = host, int(port)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate)
        self.tls.set_alpn_protocols(["h2"])

    def handle_error(self, request, client_address):
        """A client that does not trust the certificate cuts the handshake: what it says of that is looked at."""

    @property
    def address(self):
        return f"127.0.0.1:{self.server_address[1]}"
