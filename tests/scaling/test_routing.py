"""Calls on a Cluster: each runs once, on the node that has its keys, wherever that is now."""

import asyncio

import pytest

from reservesvc.errors import OutcomeUnknownError, UnavailableError
from reservesvc.redis_url import Node
from reservesvc.reservations import cluster as routing
from reservesvc.reservations import health
from reservesvc.reservations.cluster import ClusterPipelines
from reservesvc.reservations.info import RUN_CHARACTERS
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.packed import pack
from tests.faults.proxy import FaultProxy
from tests.scaling.scripts import COUNT, count, key_of, slot_of_resource
from tests.scaling.sets import ClusterSet, Member, until

RESOURCES = [f"room-{number}" for number in range(60)]


def errors(member: Member, word: str) -> int:
    """Return how often a node answered with this word."""
    said = member.info(f"errorstat_{word}", "errorstats")
    return int(said.partition("count':")[2].partition("}")[0] or 0)


def others(primaries: ClusterSet, resource_id: str) -> list[Member]:
    """Return the nodes that do not have a resource."""
    owner = primaries.owner(slot_of_resource(resource_id))
    return [member for member in primaries.members if member is not owner]


async def move(primaries: ClusterSet, slot: int, to: Member) -> None:
    """Move a slot and its keys, as an operator does."""
    source = primaries.owner(slot)
    await begin_move(source, slot, to)
    for key in source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
        source.ask("MIGRATE", "127.0.0.1", to.port, key, 0, 5000)
    for member in (to, source, *primaries.primaries()):
        member.ask("CLUSTER", "SETSLOT", slot, "NODE", to.ask("CLUSTER", "MYID"))


async def begin_move(source: Member, slot: int, to: Member) -> None:
    """Tell both nodes that a slot is moving."""
    to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.ask("CLUSTER", "MYID"))
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to.ask("CLUSTER", "MYID"))


def lead(cluster: ClusterPipelines, resource_id: str, place: Node) -> None:
    """Let calls for a resource go to another place, until the map is looked up again."""
    cluster._map.move(slot_of_resource(resource_id), place)


def is_well(member: Member) -> bool:
    """Tell whether a node says that the Cluster is well."""
    return "cluster_state:ok" in str(member.ask("CLUSTER", "INFO"))


async def test_each_call_runs_where_its_keys_are(
    cluster: ClusterPipelines, primaries: ClusterSet
) -> None:
    """Sixty resources lie on all three nodes; each script sees the run of the node it runs on."""
    for resource_id in RESOURCES:
        answer = await cluster.call_packed(COUNT, count(resource_id))
        owner = primaries.owner(slot_of_resource(resource_id))
        run = owner.info("master_replid")[:RUN_CHARACTERS]
        assert answer == [b"count", 1, run.encode()]
    assert all(member.ask("DBSIZE") > 5 for member in primaries.members)
    assert [errors(member, "MOVED") for member in primaries.members] == [0, 0, 0]


async def test_many_calls_are_answered_in_their_places(cluster: ClusterPipelines) -> None:
    """Sent to three nodes at once, the answers come back in the order of the calls."""
    for resource_id in RESOURCES[:30]:
        await cluster.call_packed(COUNT, count(resource_id))
    answers = await cluster.call_many(COUNT, [count(resource_id) for resource_id in RESOURCES])
    times = [answer[1] for answer in answers if isinstance(answer, list)]
    assert times == [2] * 30 + [1] * 30


async def test_a_slot_that_moved_is_found(cluster: ClusterPipelines, primaries: ClusterSet) -> None:
    """The node that has it no more is asked once; after that the way is known."""
    slot = slot_of_resource("room-1")
    source, target = primaries.owner(slot), others(primaries, "room-1")[0]
    await cluster.call_packed(COUNT, count("room-1"))
    await move(primaries, slot, target)
    before = errors(source, "MOVED")
    for times in (2, 3, 4):
        assert (await cluster.call_packed(COUNT, count("room-1")))[1] == times
    assert errors(source, "MOVED") == before + 1
    await move(primaries, slot, source)
    answers = await cluster.call_many(COUNT, [count("room-1")] * 3)
    assert [answer[1] for answer in answers if isinstance(answer, list)] == [5, 6, 7]


async def test_one_slot_that_moved_tells_of_all(
    cluster: ClusterPipelines, primaries: ClusterSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The map is looked up again behind the call, so that the others need not be told."""
    source = primaries.owner(slot_of_resource("room-1"))
    beside = next(one for one in RESOURCES[2:] if primaries.owner(slot_of_resource(one)) is source)
    target = others(primaries, "room-1")[0]
    await cluster.call_packed(COUNT, count("room-1"))
    for resource_id in ("room-1", beside):
        await move(primaries, slot_of_resource(resource_id), target)
    monkeypatch.setattr(routing, "LOOK_EVERY_S", 0)
    before = errors(source, "MOVED")
    await cluster.call_packed(COUNT, count("room-1"))
    while cluster._looking:
        await asyncio.sleep(0)
    await cluster.call_packed(COUNT, count(beside))
    assert errors(source, "MOVED") == before + 1
    for resource_id in ("room-1", beside):
        await move(primaries, slot_of_resource(resource_id), source)


async def test_a_slot_that_is_moving_is_said_to_be(
    cluster: ClusterPipelines, primaries: ClusterSet
) -> None:
    """Half of its keys are there, half here: nothing runs, and that is certain."""
    slot = slot_of_resource("room-1")
    source, target = primaries.owner(slot), others(primaries, "room-1")[0]
    await cluster.call_packed(COUNT, count("room-1"))
    call = pack([key_of("room-1"), "new:{room-1}"], [])
    await begin_move(source, slot, target)
    with pytest.raises(UnavailableError, match="is moving this resource") as caught:
        await cluster.call_packed(COUNT, call)
    assert not isinstance(caught.value, OutcomeUnknownError)
    source.ask("MIGRATE", "127.0.0.1", target.port, key_of("room-1"), 0, 5000)
    with pytest.raises(UnavailableError, match="is moving this resource"):
        await cluster.call_packed(COUNT, call)
    assert target.ask("CLUSTER", "COUNTKEYSINSLOT", slot) == 1
    await move(primaries, slot, target)
    assert (await cluster.call_packed(COUNT, call))[1] == 2
    await move(primaries, slot, source)


async def test_a_node_that_forgot_the_script_is_given_it(
    cluster: ClusterPipelines, primaries: ClusterSet
) -> None:
    """Each node has its own scripts."""
    for member in primaries.members:
        await asyncio.gather(*(cluster.call_packed(COUNT, count(one)) for one in RESOURCES))
        member.ask("SCRIPT", "FLUSH")
    answers = await cluster.call_many(COUNT, [count(one) for one in RESOURCES])
    assert [answer[1] for answer in answers if isinstance(answer, list)] == [4] * 60


async def test_every_primary_is_searched(cluster: ClusterPipelines) -> None:
    """A search finds the keys of all nodes, and ends."""
    for resource_id in RESOURCES:
        await cluster.call_packed(COUNT, count(resource_id))
    found: list[bytes] = []
    cursor, steps = 0, 0
    while steps == 0 or cursor:
        names, cursor = await cluster.scan(cursor, "calls:*", 5)
        found += names
        steps += 1
    assert {name.decode() for name in found} == {key_of(one) for one in RESOURCES}
    assert steps > 6


async def test_a_lost_reply_is_unknown_and_not_sent_again(
    cluster: ClusterPipelines, primaries: ClusterSet
) -> None:
    """The script ran on its node; a second time would be a second effect."""
    owner = primaries.owner(slot_of_resource("room-1"))
    await cluster.call_packed(COUNT, count("room-1"))
    async with FaultProxy(owner.port) as line:
        lead(cluster, "room-1", ("127.0.0.1", line.port))
        await cluster.call_packed(COUNT, count("room-1"))
        line.cut_reply(after_bytes=3)
        with pytest.raises(OutcomeUnknownError):
            await cluster.call_packed(COUNT, count("room-1"))
        assert owner.ask("GET", key_of("room-1")) == "3"


async def test_a_node_that_is_gone_is_looked_for(
    cluster: ClusterPipelines, primaries: ClusterSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not sent is sent to where its keys are now, one call or many."""
    monkeypatch.setattr(routing, "LOOK_EVERY_S", 0)
    owner = primaries.owner(slot_of_resource("room-1"))
    await cluster.call_packed(COUNT, count("room-1"))
    async with FaultProxy(owner.port) as line:
        line.refuse()
        lead(cluster, "room-1", ("127.0.0.1", line.port))
        assert (await cluster.call_packed(COUNT, count("room-1")))[1] == 2
        lead(cluster, "room-1", ("127.0.0.1", line.port))
        answers = await cluster.call_many(COUNT, [count("room-1"), count("room-2")])
        assert [answer[1] for answer in answers if isinstance(answer, list)] == [3, 1]
        lead(cluster, "room-1", ("127.0.0.1", line.port))
        await health.check(cluster, Keys())  # nobody else may come to notice
        assert set(cluster._pipelines) == {("127.0.0.1", one.port) for one in primaries.members}
        lead(cluster, "room-1", ("127.0.0.1", line.port))
        await cluster.renew(key_of("room-1"))
        assert (await cluster.call_packed(COUNT, count("room-1")))[1] == 4


async def test_a_silent_node_is_given_up_in_time(
    cluster: ClusterPipelines, primaries: ClusterSet
) -> None:
    """Connecting to a host that answers nothing leaves time to find out who took over."""
    owner = primaries.owner(slot_of_resource("room-1"))
    await cluster.call_packed(COUNT, count("room-2"))
    async with FaultProxy(owner.port) as line:
        line.partition()
        lead(cluster, "room-1", ("127.0.0.1", line.port))
        async with asyncio.timeout(cluster._map._patience_s * 3):
            assert (await cluster.call_packed(COUNT, count("room-1")))[1] == 1


async def test_without_a_primary_its_resources_are_unavailable_and_others_are_not(
    cluster: ClusterPipelines, primaries: ClusterSet
) -> None:
    """Nothing is unknown about calls that reached nobody; readiness names the node."""
    for member in primaries.members:
        member.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
    owner = primaries.owner(slot_of_resource("room-1"))
    beside = next(one for one in RESOURCES if primaries.owner(slot_of_resource(one)) is not owner)
    assert (await cluster.call_packed(COUNT, count(beside)))[1] == 1
    owner.kill()
    with pytest.raises(UnavailableError, match="cannot be connected to") as caught:
        await cluster.call_packed(COUNT, count("room-1"))
    assert not isinstance(caught.value, OutcomeUnknownError)
    assert (await cluster.call_packed(COUNT, count(beside)))[1] == 2
    with pytest.raises(UnavailableError, match=f"127.0.0.1:{owner.port} cannot be connected to"):
        await health.check(cluster, Keys())
    owner.start()
    for member in primaries.members:
        member.ask("CONFIG", "SET", "cluster-require-full-coverage", "yes")
        until("it is not well", is_well, member)
    assert (await cluster.call_packed(COUNT, count("room-1")))[1] == 1
    await health.check(cluster, Keys())


async def test_nobody_answers() -> None:
    """A Cluster none of whose nodes can be reached is unavailable, and no more than that."""
    cluster = ClusterPipelines("redis+cluster://127.0.0.1:1,127.0.0.1:2", 0.4)
    with pytest.raises(UnavailableError, match="cannot be connected to"):
        await cluster.call_packed(COUNT, count("room-1"))
    with pytest.raises(UnavailableError, match="cannot be connected to"):
        await health.check(cluster, Keys())
    await cluster.close()
