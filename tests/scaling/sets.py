"""Real sets of Redis servers: a primary with replicas, Sentinels over it, a Cluster.

All listen on TCP ports of 127.0.0.1 and are killed with the tests.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from redis import Redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS
from redis.exceptions import RedisError

from reservesvc.embedded_server import leashed
from tests.servers import RedisServer, free_port, server_binary

SERVICE = "shop"
SOON_S = 30.0
"""a set is formed, a failover is over by then: a busy machine takes its time"""
POLL_S = 0.02
FAST = {"repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1"}
SENTINELS = 3
QUORUM = 2
QUICK_MS = 1_000
"""how long a server may keep silent before another takes over, where one is to be lost"""
PATIENT_MS = 600_000
"""the same at all other times: a busy machine keeps a server silent for longer than QUICK_MS"""
PRIMARIES = 3


def until(what: str, holds: Callable[..., bool], *about: Any) -> None:
    """Wait until `holds` is true of `about`; what cannot be asked does not hold yet.

    Raises:
        AssertionError: it does not come about.

    """
    until_s = time.monotonic() + SOON_S
    while time.monotonic() < until_s:
        try:
            if holds(*about):
                return
        except (RedisError, OSError):
            pass
        time.sleep(POLL_S)
    raise AssertionError(what)


class Member(RedisServer):
    """A server with a port of its own, started as a replica of another if there is one."""

    def __init__(self, primary: "Member | None" = None, **more: str) -> None:
        follows = {"replicaof": f"127.0.0.1 {primary.port}"} if primary else {}
        named = {name.replace("_", "-"): value for name, value in more.items()}
        super().__init__(port=free_port(), more=FAST | follows | named)

    def start_as_replica(self, primary: "Member") -> None:
        """Start it again, as a replica; return once it has what `primary` has."""
        self._more = {**self._more, "replicaof": f"127.0.0.1 {primary.port}"}
        self.start()
        until("it has not synced", self.has_synced)

    def ask(self, *command: str | int) -> Any:
        """Return the reply to one command, decoded."""
        with Redis("127.0.0.1", self.port, decode_responses=True, protocol=2) as client:
            return client.execute_command(*command)

    def info(self, field: str, section: str = "replication") -> str:
        """Return a field of INFO."""
        with Redis("127.0.0.1", self.port, decode_responses=True, protocol=2) as client:
            found: dict[str, Any] = client.info(section)
            return str(found.get(field, ""))

    @property
    def place(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    @property
    def is_primary(self) -> bool:
        """Whether it takes writes."""
        return self.info("role") == "master"

    def is_called(self) -> bool:
        """Tell whether a client is connected, besides the one that asks."""
        clients: str = self.ask("CLIENT", "LIST")
        ours = [line for line in clients.splitlines() if "lib-name=redis-py" in line]
        return any("cmd=client|list" not in line for line in ours)

    def has_synced(self) -> bool:
        """Tell whether it is a replica that has what its primary has."""
        return self.info("master_link_status") == "up"


class ReplicatedSet:
    """A primary and a replica that has what it has; nobody watches over them."""

    def __init__(self) -> None:
        self.primary = Member()
        self.replica = Member(self.primary)
        self.members = [self.primary, self.replica]
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        """The primary."""
        return f"redis://{self.primary.place}"

    def current(self) -> Member:
        """Return who is the primary now."""
        running = [member for member in self.members if member.is_running]
        (primary,) = [member for member in running if member.is_primary]
        return primary

    def __enter__(self) -> Self:
        """Start both."""
        for member in self.members:
            self._stack.enter_context(member)
        until("the replica has not synced", self.replica.has_synced)
        return self

    def __exit__(self, *_: object) -> None:
        """Kill both."""
        self._stack.close()


class SentinelSet(ReplicatedSet):
    """A primary and a replica under three Sentinels."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="rsv-sentinels-"))
        self.ports = [free_port() for _ in range(SENTINELS)]

    @property
    def url(self) -> str:
        """The Sentinels."""
        places = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"redis+sentinel://{places}/{SERVICE}"

    def __enter__(self) -> Self:
        """Start all; return once every Sentinel knows the replica and the others."""
        self._stack.callback(shutil.rmtree, self.directory)
        super().__enter__()
        for port in self.ports:
            self._stack.callback(_end, self._sentinel(port))
        for port in self.ports:
            until("the Sentinels do not know each other", self._knows_all, port)
        return self

    def _sentinel(self, port: int) -> "subprocess.Popen[bytes]":
        file = self.directory / f"{port}.conf"
        file.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {self.directory}\n"
            f"logfile {self.directory}/{port}.log\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.primary.port} {QUORUM}\n"
            f"sentinel down-after-milliseconds {SERVICE} {PATIENT_MS}\n"
            f"sentinel failover-timeout {SERVICE} 6000\n"
        )
        return subprocess.Popen(
            leashed([server_binary(), str(file), "--sentinel"]), stdin=subprocess.DEVNULL
        )

    def _knows_all(self, port: int) -> bool:
        state = self.state(port)
        others = (state["num-slaves"], state["num-other-sentinels"])
        return others == ("1", str(SENTINELS - 1)) and state["flags"] == "master"

    def state(self, port: int) -> dict[str, str]:
        """Return what a Sentinel says of the set."""
        words = self.ask_sentinel(port, "SENTINEL", "MASTER", SERVICE)
        return dict(zip(words[::2], words[1::2], strict=True))

    @staticmethod
    def ask_sentinel(port: int, *command: str) -> Any:
        """Return a Sentinel's reply as it is; redis-py's client would make something of it."""
        with Redis("127.0.0.1", port, decode_responses=True, protocol=2) as client:
            connection = client.connection_pool.get_connection()
            connection.send_command(*command)
            reply = connection.read_response()
            client.connection_pool.release(connection)
        return reply

    def lose_primary(self) -> None:
        """Kill the primary; return once the replica has taken over."""
        self._allow_silence(QUICK_MS)
        self.primary.kill()
        until("nobody took over", lambda: self.replica.is_primary)
        self._allow_silence(PATIENT_MS)

    def replace_primary(self, new: Member) -> None:
        """Let `new`, a replica, take over as an operator does; return once no server calls the old.

        The old primary takes writes for some ten seconds more.
        """
        old = self.current()
        until("no Sentinel lets it take over", self._begins_failover)
        until("nobody took over", lambda: new.is_primary)
        until("the Sentinels do not agree", lambda: self._named() == {str(new.port)})
        until("a server calls the old primary", lambda: not old.is_called())

    def _begins_failover(self) -> bool:
        reply: str = self.ask_sentinel(self.ports[0], "SENTINEL", "FAILOVER", SERVICE)
        return reply == "OK"

    def current(self) -> Member:
        """Return whom all Sentinels name."""
        (port,) = self._named()
        return next(member for member in self.members if member.port == int(port))

    def _named(self) -> set[str]:
        """Return the ports of those that any Sentinel names."""
        return {self.state(port)["port"] for port in self.ports}

    def _allow_silence(self, ms: int) -> None:
        for port in self.ports:
            words = ("SET", SERVICE, "down-after-milliseconds", str(ms))
            assert self.ask_sentinel(port, "SENTINEL", *words) == "OK"


class ClusterSet:
    """A Cluster of three primaries, each with as many replicas as there are to be."""

    def __init__(self, replicas: int = 1) -> None:
        self.members = [self._member() for _ in range(PRIMARIES * (1 + replicas))]
        self._stack = ExitStack()

    @staticmethod
    def _member() -> Member:
        return Member(
            cluster_enabled="yes",
            cluster_port=str(free_port()),
            cluster_node_timeout=str(PATIENT_MS),
            cluster_replica_validity_factor="0",
            bind="127.0.0.1",
        )

    @property
    def url(self) -> str:
        """Some of its nodes."""
        places = ",".join(member.place for member in self.members[:2])
        return f"redis+cluster://{places}"

    def __enter__(self) -> Self:
        """Start all and join them; return once every node says that the Cluster is well."""
        for member in self.members:
            self._stack.enter_context(member)
        bounds = [REDIS_CLUSTER_HASH_SLOTS * i // PRIMARIES for i in range(PRIMARIES + 1)]
        for member, (first, end) in zip(self.members, pairwise(bounds), strict=False):
            member.ask("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        for epoch, member in enumerate(self.members, 1):
            member.ask("CLUSTER", "SET-CONFIG-EPOCH", epoch)
        for member in self.members[1:]:
            bus = member._more["cluster-port"]
            self.members[0].ask("CLUSTER", "MEET", "127.0.0.1", member.port, bus)
        for member in self.members:
            until("they have not met", self._has_met_all, member)
        for number, member in enumerate(self.members[PRIMARIES:]):
            primary = self.members[number % PRIMARIES].ask("CLUSTER", "MYID")
            member.ask("CLUSTER", "REPLICATE", primary)
        for member in self.members[PRIMARIES:]:
            until("a replica has not synced", member.has_synced)
        for member in self.members:
            until("the Cluster is not well", self._is_well, member)
        return self

    def __exit__(self, *_: object) -> None:
        """Kill all."""
        self._stack.close()

    def _has_met_all(self, member: Member) -> bool:
        known: str = member.ask("CLUSTER", "NODES")
        rows = [row for row in known.splitlines() if "handshake" not in row]
        return len(rows) == len(self.members)

    def _is_well(self, member: Member) -> bool:
        """Tell whether it is well, and knows which nodes are replicas, as clients will ask it."""
        known: str = member.ask("CLUSTER", "NODES")
        roles = sum(" slave " in row or ",slave " in row for row in known.splitlines())
        state: str = str(member.ask("CLUSTER", "INFO"))
        return "ok" in state.split("cluster_state", 1)[1][:8] and roles == len(self.members) - 3

    def owner(self, slot: int) -> Member:
        """Return the primary that has `slot`, as the first node that runs knows it."""
        for member in self.running():
            for first, last, primary, *_ in member.ask("CLUSTER", "SLOTS"):
                if first <= slot <= last:
                    return self.on(primary[1])
        message = f"nobody has slot {slot}"
        raise AssertionError(message)

    def on(self, port: int) -> Member:
        """Return the member that listens on `port`."""
        (found,) = [member for member in self.members if member.port == port]
        return found

    def running(self) -> Iterator[Member]:
        """Return the members that run."""
        return (member for member in self.members if member.is_running)

    def primaries(self) -> list[Member]:
        """Return the members that run and take writes."""
        return [member for member in self.running() if member.is_primary]

    def lose_owner(self, slot: int) -> tuple[Member, Member]:
        """Kill the primary that has `slot`; return it, and who has taken over once that is so."""
        self._allow_silence(QUICK_MS)
        old = self.owner(slot)
        old.kill()
        new = self.promoted(slot, old)
        self._allow_silence(PATIENT_MS)
        return old, new

    def _allow_silence(self, ms: int) -> None:
        for member in self.running():
            member.ask("CONFIG", "SET", "cluster-node-timeout", ms)

    def promoted(self, slot: int, old: Member) -> Member:
        """Return who has taken over `slot` from `old`, once all that run know it."""
        until("nobody took over", lambda: self.owner(slot) is not old)
        new = self.owner(slot)
        for member in self.running():
            until("the Cluster is not well", self._says, member, slot, new)
        return new

    @staticmethod
    def _says(member: Member, slot: int, owner: Member) -> bool:
        rows = member.ask("CLUSTER", "SLOTS")
        return any(row[0] <= slot <= row[1] and row[2][1] == owner.port for row in rows)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
