"""Syncs until there is an end that a person or a timer has to look at: starts again where the protocol says that a device does."""

import dataclasses
import time

import grpc

from caresync_messages import device_sync
from copy_store import CopyStore
from event_queue import EventQueue
from sync_client import Sync
from sync_stream import SyncStream

TOKEN_REFUSED = ("TOKEN_NOT_VALID", "TOKEN_OF_ANOTHER_COPY")
# After these a device that follows connects again; after any other end somebody has to look, or a later sync will do.
CONNECTS_AGAIN = ("SHUTTING_DOWN", "DEVICE_SILENT", "CREDENTIAL_EXPIRED")
# Where the server did not say when: doubled at each try that comes to nothing.
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
# A device that follows finds out that its connection is dead, and its network is kept from forgetting it. Every 20 seconds is the most
# that the server bears.
CHANNEL_OPTIONS = (("grpc.keepalive_time_ms", 30_000), ("grpc.keepalive_timeout_ms", 20_000),
                   ("grpc.http2.max_pings_without_data", 0))


class Syncing:
    """Runs the syncs of a device. `read_credential` gives the bearer token as it is now. With `connects_again` off, a further stream
    is opened only where the token was refused."""

    def __init__(self, server, read_credential, state, say, connects_again=True):
        self._server, self._read_credential, self._state, self._say = server, read_credential, state, say
        self._connects_again = connects_again

    def run(self, wish):
        """The end of the last sync that was needed."""
        with self._state.one_sync_at_a_time(), grpc.insecure_channel(self._server, CHANNEL_OPTIONS) as channel:
            return self._run(channel, wish)

    def _run(self, channel, wish):
        with_token, asked = True, False
        self._pause = FIRST_PAUSE_SECONDS
        while True:
            end, sync = self._once(channel, wish, with_token)
            if end.reason in TOKEN_REFUSED and with_token:
                with_token = False
                continue
            with_token = True
            if not self._connects_again:
                return end
            if wish.follow and self._goes_on(end, sync):
                wish = self._after_pause(wish, end, sync)
                if wish is None:
                    return end
            elif end.sync_now and not wish.follow and not asked:
                asked = True
                # No carer started it.
                wish = dataclasses.replace(wish, sync_type=device_sync.SYNC_TYPE_AUTO)
            else:
                return end

    def _after_pause(self, wish, end, sync):
        """Waits until it is time to connect again: what is left of the wish then, or None where it is over before."""
        self._pause = FIRST_PAUSE_SECONDS if end.confirmations else min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        wait = self._pause if end.retry_after is None else end.retry_after
        if sync.credential_ends() and self._read_credential() != self._credential:
            wait = 0.0
        if wish.follow_seconds is not None:
            left = wish.follow_seconds - sync.age() - wait
            if left <= 0:
                return None
            wish = dataclasses.replace(wish, follow_seconds=left)
        if wish.follow_rounds is not None:
            wish = dataclasses.replace(wish, follow_rounds=max(0, wish.follow_rounds - max(0, end.confirmations - 1)))
        self._say("connects_again", after_seconds=wait)
        try:
            time.sleep(wait)
        except KeyboardInterrupt:
            return None
        return wish

    @staticmethod
    def _goes_on(end, sync):
        """Whether a device that follows is to connect again: it has not had enough, and the server did not send it away."""
        return end.outcome == "interrupted" or end.reason in CONNECTS_AGAIN or sync.credential_ends()

    def _once(self, channel, wish, with_token):
        self._credential = self._read_credential()
        stream = SyncStream(channel, self._credential)
        sync = Sync(wish, self._state, CopyStore(self._state), EventQueue(self._state), stream, self._say)
        end = sync.run(with_token)
        self._say("end", **dataclasses.asdict(end))
        return end, sync
