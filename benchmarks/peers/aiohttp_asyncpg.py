"""aiohttp with asyncpg: PostgreSQL's exclusion constraint in Redis' place."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import uvloop
from aiohttp import web

from benchmarks.peers import claim, settings

POOL: web.AppKey[Any] = web.AppKey("pool")
SCHEMA = """
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE TABLE IF NOT EXISTS reservation (
    id text PRIMARY KEY,
    resource_id text NOT NULL,
    during tstzrange NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    document json NOT NULL,
    EXCLUDE USING gist (resource_id WITH =, during WITH &&)
);
"""
# ON CONFLICT DO NOTHING: a plain INSERT deadlocks when many want one slot.
INSERT = """
INSERT INTO reservation (id, resource_id, during, expires_at, document)
VALUES ($1, $2, tstzrange($3, $4), clock_timestamp() + $5, $6)
ON CONFLICT DO NOTHING RETURNING created_at
"""
DROP_LAPSED = """
DELETE FROM reservation
WHERE resource_id = $1 AND during && tstzrange($2, $3) AND expires_at <= clock_timestamp()
RETURNING id
"""


async def reserve(request: web.Request) -> web.Response:
    """Check the body, insert, answer."""
    try:
        body = claim.decode(await request.read())
    except msgspec.ValidationError as error:
        return _problem(422, str(error))
    except msgspec.DecodeError as error:
        return _problem(400, str(error))
    rule = claim.broken_rule(body)
    if rule is not None:
        return _problem(422, rule)
    made = claim.claim_of(body)
    created = await _insert(request.app[POOL], body, made)
    if created is None:
        return _problem(409, "The slot is not free.")
    now_ms = int(created.timestamp() * 1000)
    reply = claim.encode(claim.reply(made, now_ms))
    return web.Response(body=reply, status=201, content_type="application/json")


async def _insert(pool: Any, body: claim.Body, made: claim.Claim) -> datetime | None:  # noqa: ANN401  asyncpg is untyped
    start, end = body.start.astimezone(UTC), body.end.astimezone(UTC)
    document = claim.encode(made.head | made.details).decode()
    row = (made.id, made.resource_id, start, end, timedelta(seconds=made.duration_s), document)
    async with pool.acquire() as connection:
        created: datetime | None = await connection.fetchval(INSERT, *row)
        # A constraint knows no time: what lapsed is in the way until somebody deletes it.
        if created is None and await connection.fetch(DROP_LAPSED, made.resource_id, start, end):
            created = await connection.fetchval(INSERT, *row)
    return created


def _problem(status: int, detail: str) -> web.Response:
    return web.json_response({"status": status, "detail": detail}, status=status)


async def _connected(application: web.Application) -> AsyncIterator[None]:
    async with asyncpg.create_pool(settings.postgres_url()) as pool:
        await pool.execute(SCHEMA)
        application[POOL] = pool
        yield


def main() -> None:
    """Serve."""
    uvloop.install()
    application = web.Application(client_max_size=65_536)
    application.router.add_post("/v2/bookings/reserve", reserve)
    application.cleanup_ctx.append(_connected)
    web.run_app(application, host=settings.HOST, port=settings.port(), access_log=None, print=None)


if __name__ == "__main__":
    main()
