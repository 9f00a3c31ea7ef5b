"""The price of an empty request: aiohttp on uvloop, router, msgspec decode, a fixed reply."""

import uvloop
from aiohttp import web
from msgspec import Struct
from msgspec.json import Decoder

from benchmarks.peers import settings


class Body(Struct):
    """The body's fields, of which only the types are looked at."""

    start: str
    end: str
    resource_id: str
    what: str
    where: str
    description: str
    duration: int
    customer: dict[str, str]


_decode = Decoder(Body).decode
# As long as the real reply.
_REPLY = b'{"data":{"id":"' + b"x" * 580 + b'"}}'


async def reserve(request: web.Request) -> web.Response:
    """Decode and answer."""
    _decode(await request.read())
    return web.Response(body=_REPLY, status=201, content_type="application/json")


def main() -> None:
    """Serve."""
    uvloop.install()
    application = web.Application()
    application.router.add_post("/v2/bookings/reserve", reserve)
    web.run_app(application, host=settings.HOST, port=settings.port(), access_log=None, print=None)


if __name__ == "__main__":
    main()
