"""The gRPC stream of one sync, as a pair of queues; and what an error of the server says."""

import collections
import queue
import threading

import grpc
from google.protobuf.message import DecodeError

import caresync_messages as messages

METHOD = "/caresync.v1.DeviceSyncService/Sync"
DETAILS = "grpc-status-details-bin"
# How many of the server's messages may wait here: a device that is slow to store is slow to read.
MOST_UNHANDLED = 4

# How a stream ended. `code` is gRPC's name of the status; `reason` the server's, empty where it did not get to say one;
# `retry_after` seconds or None.
StreamEnd = collections.namedtuple("StreamEnd", "code reason message retry_after")


class Ended(Exception):
    """The stream ended; `end` says how."""

    def __init__(self, end):
        super().__init__(end.message)
        self.end = end


def end_of(error):
    """A StreamEnd of the grpc.Call of a stream that is over."""
    reason, retry_after = "", None
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS:
            reason, retry_after = _details(value)
    return StreamEnd(error.code().name, reason, error.details() or "", retry_after)


def _details(status_bytes):
    reason, retry_after = "", None
    try:
        details = messages.rpc_status.Status.FromString(status_bytes).details
    except DecodeError:
        return reason, retry_after  # Not caresync's: what stands between may end a stream too.
    for detail in details:
        info, retry = messages.rpc_details.ErrorInfo(), messages.rpc_details.RetryInfo()
        if detail.Unpack(info) and info.domain == "caresync":
            reason = info.reason
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToNanoseconds() / 1e9
    return reason, retry_after


class SyncStream:
    """One call of Sync. Made, used and ended by one thread."""

    def __init__(self, channel, credential):
        self._outgoing = queue.SimpleQueue()
        self._incoming = queue.Queue(MOST_UNHANDLED)
        call = channel.stream_stream(METHOD, request_serializer=messages.device_sync.SyncRequest.SerializeToString,
                                     response_deserializer=messages.device_sync.SyncResponse.FromString)
        self._call = call(iter(self._outgoing.get, None), metadata=(("authorization", f"Bearer {credential}"),))
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, **field):
        self._outgoing.put(messages.device_sync.SyncRequest(**field))

    def half_close(self):
        """Nothing more is sent; what the server still says can be received."""
        self._outgoing.put(None)

    def receive(self, timeout):
        """The server's next message, or None where there is none for so many seconds. Raises Ended after the last."""
        try:
            got = self._incoming.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(got, StreamEnd):
            raise Ended(got)
        return got

    def cut(self):
        """Ends the stream from this side, wherever it is. Does nothing where it has ended."""
        self._outgoing.put(None)
        self._call.cancel()
        while not self._incoming.empty():
            self._incoming.get_nowait()

    def _read(self):
        try:
            for response in self._call:
                self._incoming.put(response)
        except grpc.RpcError:
            pass  # What it was, the call knows.
        self._incoming.put(end_of(self._call))
