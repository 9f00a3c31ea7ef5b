"""Row of the fault matrix without a fault: what one server changes, another goes by."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession

from reservesvc.domain import times
from tests.api.client import RESERVE
from tests.builders import at
from tests.faults.cluster import Cluster

HOLDS_AFTER_S = 1.0
"""when a changed project holds on every server, at the latest"""


async def held_s(session: ClientSession, url: str, project_id: str, day: int) -> Any:
    """Reserve on a server in the name of the project; return for how long."""
    slot = {"start": times.render(at(24 * day)), "end": times.render(at(24 * day + 1))}
    body = RESERVE | slot | {"project_id": project_id}
    async with session.post(f"{url}/v2/bookings/reserve", json=body) as reply:
        assert reply.status == 201, await reply.text()
        return (await reply.json())["data"]["duration"]


@pytest.mark.parametrize("changed", [{"reservation_time": 15}, {"reservation_time": None}])
async def test_a_changed_reservation_time_holds_on_every_server(changed: dict[str, Any]) -> None:
    """At once on the server that changed it, within a second on the other."""
    async with Cluster() as cluster, ClientSession() as session:
        first, second = cluster.urls
        project = {"name": "Salon", "reservation_time": 90}
        async with session.post(f"{first}/v2/projects", json=project) as reply:
            project_id = (await reply.json())["data"]["id"]
        await asyncio.sleep(HOLDS_AFTER_S)  # the same promise holds for a new project
        before = [
            await held_s(session, url, project_id, day) for day, url in ((1, first), (2, second))
        ]
        path = f"{first}/v2/projects/{project_id}"
        async with session.put(path, json=changed) as reply:
            assert reply.status == 204
        at_once = await held_s(session, first, project_id, 3)
        await asyncio.sleep(HOLDS_AFTER_S)
        expected = changed["reservation_time"] or 30
        assert before == [90, 90]
        assert at_once == await held_s(session, second, project_id, 4) == expected
