"""The peers' work: whoever leaves some of it out is found before it is measured."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from benchmarks import conformance, kinds, slots
from benchmarks.errors import BenchmarkError
from benchmarks.kinds import Kind
from benchmarks.redis_server import RedisServer
from benchmarks.script_export import export
from benchmarks.servers import Server, Setting, serving
from benchmarks.slots import Slots


@pytest.fixture
def setting(bench_redis: RedisServer, tmp_path: Path) -> Setting:
    """Return what a server needs to be started."""
    script = tmp_path / "script.json"
    script.write_bytes(export(bench_redis.run))
    bench_redis.warm(slots.resource_ids())
    return Setting(
        directory=tmp_path, redis=bench_redis, script=script, server_core=None, load_core=None
    )


def started(kind: Kind, setting: Setting) -> Iterator[Server]:
    """Run a server of this kind."""
    with serving(kind, setting) as server:
        yield server


@pytest.mark.parametrize("kind", [kinds.OURS, kinds.PLAIN, kinds.LOGGED], ids=lambda k: k.name)
def test_servers_do_the_work(kind: Kind, setting: Setting) -> None:
    """The service, and peers that need no packages beyond its own, pass every check."""
    taken = Slots()
    for server in started(kind, setting):
        conformance.prime(server, taken)
        conformance.check(server, taken)
    # One for each resource, one that was checked; the refused ones left nothing.
    assert setting.redis.entries(slots.resource_ids()) == slots.RESOURCES + 1


def test_a_server_without_checks_is_found(setting: Setting) -> None:
    """A fixed reply passes for an empty request's price, and not for a peer."""
    for server in started(kinds.BARE, setting):
        conformance.check(server, Slots())
        pretender = replace(server, kind=kinds.PLAIN)
        with pytest.raises(BenchmarkError, match="by its fields"):
            conformance.check(pretender, Slots())


def test_a_server_that_refuses_a_free_slot_is_found(setting: Setting) -> None:
    """Whatever is in the way of the first claim, the server has not done the work."""
    for server in started(kinds.PLAIN, setting):
        body = slots.body(0)
        assert conformance.post(server.port, conformance.PATH, body).status == conformance.CREATED
        with pytest.raises(BenchmarkError, match="answers 409"):
            conformance.check(server, Slots())
