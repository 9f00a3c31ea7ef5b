"""Small scripts whose answers tell where they ran, and how often."""

import hashlib

from redis.crc import key_slot

from reservesvc.reservations.packed import Packed, pack
from reservesvc.reservations.scripts import Script


def script(name: str, body: bytes) -> Script:
    """Return a script of this body."""
    digest = hashlib.sha1(body, usedforsecurity=False).hexdigest()
    return Script(name, body, digest.encode())


COUNT = script("count", b"return {'count', redis.call('INCR', KEYS[1]), ARGV[1]}")
"""answers how often it ran for this key, and its run"""
RESERVE = script("reserve", b"return {ARGV[2], redis.call('INCR', KEYS[1])}")
"""answers what it is told to; by its name it is one that promises something"""


def key_of(resource_id: str) -> str:
    """Return a key that carries the hash tag of a resource."""
    return f"calls:{{{resource_id}}}"


def slot_of_resource(resource_id: str) -> int:
    """Return the hash slot of all its keys."""
    return key_slot(resource_id.encode())


def count(resource_id: str) -> Packed:
    """Return a call that counts."""
    return pack([key_of(resource_id)], [])
