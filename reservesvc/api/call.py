"""A call: one request on its way through a handler, and what handlers need around it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from aiohttp import web
from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from reservesvc.api import bodies, idempotency, problems, refusals
from reservesvc.api.auth import ANYBODY, Caller, Keys, RouteScope
from reservesvc.api.decoding import Decoded, Decoder
from reservesvc.api.line import Write
from reservesvc.api.problems import Problem
from reservesvc.api.replies import Reply
from reservesvc.domain.wish import Limits
from reservesvc.metrics import Metrics
from reservesvc.ports import Idempotency, Stores

T = TypeVar("T", bound=Struct)
Check = Callable[[], Awaitable[None]]
"""asks a dependency whether it can do its part; raises `UnavailableError` where it cannot"""


class Context(Struct, frozen=True, kw_only=True):
    """What every call shares."""

    stores: Stores
    limits: Limits
    keys: Keys
    checks: Mapping[str, Check]
    metrics: Metrics
    log: FilteringBoundLogger
    write_line: Write
    tells_quiet: bool
    """whether what is logged at debug is logged at all"""
    deadline_s: float
    body_bytes_max: int


class Call(Struct, gc=False):
    """One request.

    Handlers leave behind what the log and the metrics tell of it: `outcome`, a word; `verb`,
    where it is one of the flow's; ids, and never what customers sent.

    Outside the garbage collector: nothing that a call holds leads back to it.
    """

    id: str
    request: web.BaseRequest
    context: Context
    route: "Route"
    parts: Mapping[str, str]
    caller: Caller = ANYBODY
    outcome: str = "ok"
    verb: str | None = None
    resource_id: str | None = None
    reservation_id: str | None = None
    booking_id: str | None = None
    reason: str | None = None
    sent: bytes = b""
    """the body, once it was read"""
    ignored: tuple[str, ...] = ()
    """members of the body that no field has"""

    @property
    def stores(self) -> Stores:
        """What the flow works with."""
        return self.context.stores

    @property
    def limits(self) -> Limits:
        """How much a request may ask for."""
        return self.context.limits

    def part(self, name: str) -> str:
        """Return the part of the path that the route calls `name`."""
        return self.parts[name]

    async def body(self) -> bytes:
        """Return the body.

        Raises:
            RefusedError: it is too large, too slow or compressed.

        """
        most = self._body_bytes_max
        body = bodies.at_hand(self.request, most)
        if body is None:
            body = await bodies.arriving(self.request, most, self.context.deadline_s)
        self.sent = body
        return body

    @property
    def _body_bytes_max(self) -> int:
        return self.route.body_bytes_max or self.context.body_bytes_max

    async def decode(self, decoder: Decoder[T]) -> Decoded[T]:
        """Return the body as `decoder` reads it.

        Raises:
            RefusedError: as `body`, or it is not a JSON object.

        """
        return self._decoded(decoder, await self.body())

    def decode_at_hand(self, decoder: Decoder[T]) -> Decoded[T] | None:
        """Return what `decode` does, or None where the body is still to come.

        For what is called so often that one more coroutine counts.

        Raises:
            RefusedError: as `decode`.

        """
        body = bodies.at_hand(
            self.request, self.route.body_bytes_max or self.context.body_bytes_max
        )
        return None if body is None else self._decoded(decoder, body)

    def _decoded(self, decoder: Decoder[T], body: bytes) -> Decoded[T]:
        self.sent = body
        return decoder.decode(body, self.ignore)

    def ignore(self, names: Iterable[str], prefix: str = "") -> None:
        """Note members of the body that no field has; the reply and the log name them."""
        self.ignored += tuple(prefix + name for name in names)

    def idempotency(self) -> Idempotency | None:
        """Return the request's Idempotency-Key; ask after the body was read.

        Raises:
            RefusedError: it is not 1 to 255 printable characters, or came twice.

        """
        keys = self.request.headers.getall(idempotency.HEADER, None)
        if keys is None:
            return None
        return idempotency.of(keys, self.caller.name, self.route.name, self.sent)

    def refuse(self, outcome: refusals.Refusal) -> Reply:
        """Return the reply to an outcome that the caller did not hope for."""
        return self.reject(refusals.of_outcome(outcome))

    def reject(self, problem: Problem) -> Reply:
        """Return the reply that `problem` is."""
        self.outcome = problem.code
        return problems.reply(problem)


class Route(Struct, frozen=True):
    """A row of the URL table."""

    method: str
    path: str
    """with the names of its parts in braces"""
    handler: Callable[[Call], Awaitable[Reply]]
    scope: RouteScope
    name: str
    """one name a route; part of what an Idempotency-Key is kept under"""
    quiet: bool = False
    """asked every few seconds by machines: logged at debug"""
    only_reads: bool = False
    """a POST that changes nothing"""
    has_key: bool = False
    """a PUT that takes an Idempotency-Key, as every POST does"""
    body_bytes_max: int | None = None
    """how large a body may be, where the service's own limit is too small"""
    query: tuple[str, ...] | None = ()
    """the names of its parameters behind the `?`; None where they do not matter"""

    @property
    def takes_key(self) -> bool:
        """Whether a request may come with an Idempotency-Key."""
        return self.method == "POST" or self.has_key

    @property
    def writes(self) -> bool:
        """Whether a request may change something."""
        return self.method != "GET" and not self.only_reads
