"""What all methods of the store share: who calls scripts, how keys are named, how long they stay.

The store's methods stand in four modules, by what they are for: `store` (reservations),
`handoffs` (entries that the booking store decides about), `indexes` (a resource's index as
a whole) and `usages` (what uses the capacity of many resources).
"""

from reservesvc.ports import Ids
from reservesvc.reservations.caller import Caller
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.lifetimes import Times
from reservesvc.reservations.scripts import load_all


class Scripted:
    """Whoever calls scripts."""

    def __init__(self, caller: Caller, keys: Keys, ids: Ids, limits: Times) -> None:
        self._call = caller.call
        self._call_packed = caller.call_packed
        self._call_many = caller.call_many
        self._scan_keys = caller.scan
        self._time_ms = caller.time_ms
        self._renew = caller.renew
        self._keys = keys
        self._ids = ids
        self._times = limits
        self._scripts = load_all()
