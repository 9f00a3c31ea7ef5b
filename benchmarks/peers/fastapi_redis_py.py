"""FastAPI with pydantic and redis-py, on uvicorn with uvloop and httptools."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, Self

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    model_validator,
)
from redis.asyncio import Redis

from benchmarks.peers import claim, settings

_script = settings.script()
_redis: Redis = Redis.from_url(settings.redis_url())


class Customer(BaseModel):
    """Whom the slot is for; further fields are kept as they are."""

    model_config = ConfigDict(extra="allow")

    name: StrictStr | None = None
    email: StrictStr | None = None
    phone: StrictStr | None = None
    voip: StrictStr | None = None
    timezone: StrictStr | None = None


class Body(BaseModel):
    """What is asked for."""

    start: AwareDatetime
    end: AwareDatetime
    resource_id: StrictStr = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$")
    what: StrictStr
    where: StrictStr
    description: StrictStr
    duration: StrictInt = Field(30, ge=1, le=86_400)
    quantity: StrictInt = Field(1, ge=1, le=1)
    graph: Literal["instant"] = "instant"
    project_id: None = None
    customer: Customer = Customer()

    @model_validator(mode="after")
    def _check_slot(self) -> Self:
        if self.end <= self.start:
            message = "end must be after start"
            raise ValueError(message)
        if self.end - self.start > claim.SLOT_MAX:
            message = "end must be at most 31 days after start"
            raise ValueError(message)
        return self


class Reservation(BaseModel):
    """What is answered."""

    id: str
    reservation_id: str
    resource_id: str
    project_id: str | None
    start: str
    end: str
    duration: int
    quantity: int
    what: str
    where: str
    description: str
    customer: dict[str, Any]
    graph: str
    created_at: str
    expires_at: str
    remaining_ms: int
    lifetime_ms: int
    server_time: str


class Reply(BaseModel):
    """A success."""

    data: Reservation


@asynccontextmanager
async def _connected(_: FastAPI) -> AsyncIterator[None]:
    await _redis.script_load(_script.body)
    yield
    await _redis.aclose()


app = FastAPI(lifespan=_connected)


@app.post("/v2/bookings/reserve", status_code=201)
async def reserve(body: Body) -> Reply:
    """Hold a slot."""
    made = claim.claim_of(_plain(body))
    keys, arguments = claim.keys(made), claim.arguments(made, _script)
    answer: list[Any] = [b"swept"]
    while answer[0] == b"swept":
        answer = await _redis.evalsha(_script.sha, len(keys), *keys, *arguments)
    if answer[0] != b"reserved":
        raise HTTPException(409, "The slot is not free.")
    return Reply(**claim.reply(made, answer[1]))


def _plain(body: Body) -> claim.Body:
    """Return the body in the form from which all peers make their claim."""
    return claim.Body(
        start=body.start,
        end=body.end,
        resource_id=body.resource_id,
        what=body.what,
        where=body.where,
        description=body.description,
        duration=body.duration,
        quantity=body.quantity,
        graph=body.graph,
        customer=body.customer.model_dump(exclude_none=True),
    )


if __name__ == "__main__":
    uvicorn.run(
        app,
        host=settings.HOST,
        port=settings.port(),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
