"""What is sent along with an action: an object under the action's own name, as Timekit has it."""

from functools import lru_cache
from typing import Any

import msgspec

from reservesvc.api.call import Call
from reservesvc.api.decoding import Decoder, Errors
from reservesvc.domain.booking import Inputs
from reservesvc.domain.graphs import GRAPHS

MESSAGE = "message"
"""the input that every action may have: a text"""


async def inputs_of(call: Call, action: str) -> tuple[Inputs | None, Errors]:
    """Return what was sent along with `action`, and what is wrong with it.

    A body is not needed, nor its part of that name; fields beside it are ignored, and named.

    Raises:
        RefusedError: the body is too large, too slow, or no JSON object.

    """
    body = await call.body()
    if not body:
        return None, {}
    value, errors = _decoder(action if _is_known(action) else "").decode(body, call.ignore)
    sent: dict[str, Any] | None = getattr(value, action, None)
    if sent and not isinstance(sent.get(MESSAGE, ""), str):
        name = f"{action}.{MESSAGE}"
        errors[name] = [f"{name} must be a string"]
    return ({action: sent} if sent else None), errors


@lru_cache(64)
def _decoder(action: str) -> Decoder[Any]:
    """Return what reads a body with the one field `action`, or with none."""
    field = (action, dict[str, Any] | None, None)
    return Decoder(msgspec.defstruct("ActBody", [field] if action else [], kw_only=True))


def _is_known(action: str) -> bool:
    """Tell whether any graph has the action: others have no inputs to read."""
    return any(
        action in state.actions for graph in GRAPHS.values() for state in graph.states.values()
    )
