"""What an address of Redis says about hosts, names, passwords and TLS."""

from redis.asyncio.connection import parse_url

from reservesvc.redis_url import parse


def test_one_server_is_redis_pys_business() -> None:
    """The address is kept, and not taken apart."""
    parsed = parse("rediss://u:p@h:1/2")
    assert (parsed.kind, parsed.text, parsed.hosts) == ("server", "rediss://u:p@h:1/2", ())


def test_sentinels_are_named_with_their_service() -> None:
    """Hosts without a port get the usual one of Sentinels; their login is not that of Redis."""
    parsed = parse(
        "rediss+sentinel://u:p%40@a:1,b,[::1]:3/shop"
        "?db=2&sentinel_username=s&sentinel_password=q%26&ssl_ca_certs=/ca.pem"
    )
    assert (parsed.kind, parsed.service) == ("sentinel", "shop")
    assert parsed.hosts == (("a", 1), ("b", 26379), ("::1", 3))
    assert parsed.sentinel_login == {"username": "s", "password": "q&"}
    assert (
        dict(parse_url(parsed.node("h", 9))).items()
        >= {
            "host": "h",
            "port": 9,
            "db": 2,
            "username": "u",
            "password": "p@",
            "ssl_ca_certs": "/ca.pem",
        }.items()
    )


def test_a_node_of_a_cluster_has_the_login_and_options_of_all() -> None:
    """One address stands for all nodes, those found later among them."""
    parsed = parse("redis+cluster://:p@a:7000,b?socket_keepalive=yes")
    assert (parsed.kind, parsed.hosts) == ("cluster", (("a", 7000), ("b", 6379)))
    assert parsed.node("::1", 5) == "redis://:p@[::1]:5?socket_keepalive=yes"


def test_tls_is_for_every_node() -> None:
    """With rediss in front no node is spoken to in the clear."""
    assert parse("rediss+cluster://a:7000").node("b", 1) == "rediss://b:1"
