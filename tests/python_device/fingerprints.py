"""Count and sum of a copy: how device and server find out whether they mean the same records."""

import hashlib
import struct

MODULUS = 2**64


def fingerprint(kind, record_id, payload):
    """A record's fingerprint; `record_id` is text, `payload` the bytes as they were received."""
    name = record_id.encode("utf-8")
    digest = hashlib.sha256(struct.pack(">I", kind) + struct.pack(">I", len(name)) + name + payload).digest()
    return int.from_bytes(digest[:8], "big")


def count_and_sum(records):
    """Of (kind, record_id, payload) in any order."""
    count = total = 0
    for kind, record_id, payload in records:
        count += 1
        total = (total + fingerprint(kind, record_id, payload)) % MODULUS
    return count, total
