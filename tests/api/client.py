"""A client for tests: one call, one whole answer."""

import io
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiohttp import ClientSession
from multidict import CIMultiDictProxy

from reservesvc.api.application import build
from reservesvc.api.auth import Keys
from reservesvc.api.call import Check
from reservesvc.api.handlers import Application
from reservesvc.apikeys import ApiKey
from reservesvc.domain.wish import Limits
from reservesvc.metrics import Metrics
from reservesvc.ports import Stores
from tests.builders import DAY, ROOM

SLOT = {"resource_id": ROOM, "start": f"{DAY}T10:00:00Z", "end": f"{DAY}T11:00:00Z"}
RESERVE = SLOT | {"what": "Haircut", "where": "Main street 1", "description": "Short"}
ADA = {"name": "Ada", "email": "ada@example.com"}
BOOK = RESERVE | {"customer": ADA}
BODY_BYTES_MAX = 65_536
_LARGE_BYTES = 1_000_000


class Answer(NamedTuple):
    """A whole reply."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """What a successful call answers."""
        return self.json["data"]

    @property
    def code(self) -> str | None:
        """The code of the problem, None where there is none."""
        if self.headers.get("Content-Type") != "application/problem+json":
            return None
        return str(self.json["code"])


class Http(NamedTuple):
    """Sends requests to one server."""

    session: ClientSession
    port: int

    async def __call__(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send a request; `body` is sent as JSON, bytes as they are; `_` in headers is `-`."""
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(
            method, url, data=_whole(sent), headers=names, allow_redirects=False
        ) as reply:
            return Answer(reply.status, reply.headers, await reply.read())


def _whole(body: bytes | None) -> bytes | io.BytesIO | None:
    """Return the body as aiohttp wants it: it warns of large ones that are plain bytes."""
    return io.BytesIO(body) if body and len(body) > _LARGE_BYTES else body


def application(
    stores: Stores,
    *,
    keys: tuple[ApiKey, ...] = (),
    checks: Mapping[str, Check] | None = None,
    metrics: Metrics | None = None,
    deadline_ms: int = 2_000,
    origins: tuple[str, ...] = (),
) -> Application:
    """Return the application over `stores`."""
    return build(
        stores=stores,
        limits=Limits(),
        keys=Keys(keys),
        checks=checks or {},
        metrics=metrics or Metrics(),
        deadline_ms=deadline_ms,
        body_bytes_max=BODY_BYTES_MAX,
        origins=origins,
    )
