"""`ignored_fields`: tells a caller which members of a body are no fields, such as misspelt ones.

They are ignored all the same, as Timekit ignores them.
"""

from collections.abc import Sequence
from itertools import islice

import msgspec

from reservesvc.api.call import Call
from reservesvc.api.replies import Reply

NAMES_MAX = 100
"""most names in a reply"""
NAME_CHARS_MAX = 100
"""longer ones are cut"""
REMEMBERED_MAX = 1_000
"""most pairs of caller and field that are remembered; then all are forgotten"""
_encode = msgspec.json.Encoder().encode


class Ignored:
    """Tells callers in their replies, and the log once for each caller and field."""

    def __init__(self) -> None:
        self._logged: set[tuple[str, str]] = set()

    def tell(self, call: Call, reply: Reply) -> None:
        """Put the names that the call ignored into its reply, and the new ones into the log."""
        names = [name[:NAME_CHARS_MAX] for name in islice(call.ignored, NAMES_MAX)]
        reply.put_beside(b'"ignored_fields":' + _encode(names))
        news = self._news(call.caller.name, names)
        if news:
            call.context.log.info(
                "ignored_fields", caller=call.caller.name, fields=news, request_id=call.id
            )

    def _news(self, caller: str, names: Sequence[str]) -> list[str]:
        """Return the names that were not logged for the caller, whatever their place in a list."""
        if len(self._logged) > REMEMBERED_MAX:
            self._logged.clear()
        fields = dict.fromkeys(
            ".".join(part for part in name.split(".") if not part.isdigit()) for name in names
        )
        news = [field for field in fields if (caller, field) not in self._logged]
        self._logged.update((caller, field) for field in news)
        return news
