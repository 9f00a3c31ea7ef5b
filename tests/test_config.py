"""Settings: where they come from, what they may be, and that a refusal is a sentence."""

import hashlib
import os
from pathlib import Path

import msgspec
import pytest

from reservesvc.apikeys import ApiKey
from reservesvc.config import Config, load, load_store
from reservesvc.config_table import SETTINGS, Setting
from reservesvc.errors import ConfigError

_SECRET = "s3cret-0123456789"
_DIGEST = hashlib.sha256(_SECRET.encode()).digest()
_REACHABLE = {"RESERVESVC_HOST": "0.0.0.0"}  # noqa: S104  (this is what is refused)


def refusal(environ: dict[str, str], flags: dict[str, str | None] | None = None) -> str:
    """Return the sentence that `load` refuses with."""
    with pytest.raises(ConfigError) as caught:
        load(flags or {}, environ)
    return str(caught.value)


def test_everything_has_a_default() -> None:
    """With nothing set, the service is on loopback, embedded, and asks for no key."""
    config = load({}, {})
    assert (config.host, config.port) == ("127.0.0.1", 8080)
    assert (config.redis_url, config.api_keys) == (None, ())
    assert config.data_dir == Path("reservesvc-data")
    assert config.store.path == Path("reservesvc-data/bookings.sqlite3")
    assert (config.deadline_ms, config.grace_ms) == (2_000, 10_000)


def test_every_field_has_its_setting() -> None:
    """`Config` and the table name the same settings, each once."""
    fields = [field.name for field in msgspec.structs.fields(Config)]
    assert sorted(setting.field for setting in SETTINGS) == sorted(fields)


@pytest.mark.parametrize(
    "setting",
    [setting for setting in SETTINGS if setting.default not in (None, ())],
    ids=lambda setting: setting.name,
)
def test_a_default_can_be_written_out(setting: Setting) -> None:
    """A default that has a text is the value its own parser makes of that text."""
    assert setting.parse(str(setting.default)) == setting.default


def test_origins_are_listed() -> None:
    """In any case and order, each once; browsers send them in small letters."""
    environ = {"RESERVESVC_CORS_ORIGINS": "https://Shop.example, http://localhost:3000,,"}
    assert load({}, environ).cors_origins == ("https://shop.example", "http://localhost:3000")
    assert load({"cors_origins": "*,*"}, environ).cors_origins == ("*",)
    assert load({"cors_origins": "http://[::1]:8080"}, {}).cors_origins == ("http://[::1]:8080",)


@pytest.mark.parametrize(
    "text",
    [
        "shop.example",
        "https://shop.example/",
        "https://shop.example:443",
        "http://shop.example:80",
        "https://*.shop.example",
        "https://user@shop.example",
        "https://shop.example, null",
        "ftp://shop.example",
    ],
)
def test_what_no_browser_sends_is_no_origin(text: str) -> None:
    """An origin that could never match is a mistake, and told at the start."""
    assert refusal({"RESERVESVC_CORS_ORIGINS": text}).startswith(
        "RESERVESVC_CORS_ORIGINS must list origins as browsers send them, as https://shop.example"
    )


def test_a_flag_wins_over_the_environment() -> None:
    """The value nearest to the start of the process counts."""
    environ = {"RESERVESVC_PORT": "1", "RESERVESVC_LOG_LEVEL": "debug"}
    config = load({"port": "2", "log_level": None}, environ)
    assert (config.port, config.log_level) == (2, "debug")


def test_an_empty_variable_is_not_set() -> None:
    """An env file's `NAME=` leaves the default."""
    assert load({}, {"RESERVESVC_PORT": "", "RESERVESVC_REDIS_URL": ""}).port == 8080


@pytest.mark.parametrize(
    ("name", "text", "rest"),
    [
        ("PORT", "abc", "must be a number from 0 to 65535, not 'abc'."),
        ("PORT", "65536", "must be a number from 0 to 65535, not '65536'."),
        ("PORT", "-1", "must be a number from 0 to 65535, not '-1'."),
        ("PORT", "8_0", "must be a number from 0 to 65535, not '8_0'."),
        ("PORT", "٣", "must be a number from 0 to 65535, not '٣'."),
        (
            "HOST",
            "http://x",
            ("must be an address or a host name such as 127.0.0.1 or ::1, not 'http://x'."),
        ),
        (
            "LOG_FORMAT",
            "xml",
            "must be one of auto, console, json, not 'xml'.",
        ),
        (
            "KEY_PREFIX",
            "a{b}",
            ("must be at most 64 characters of A-Z a-z 0-9 _ . : -, not 'a{b}'."),
        ),
        (
            "REDIS_URL",
            "http://x",
            (
                "must begin with redis://, rediss://, unix://, redis+sentinel://, "
                "rediss+sentinel://, redis+cluster:// or rediss+cluster://."
            ),
        ),
        (
            "REDIS_URL",
            "redis+sentinel://x",
            (
                "must be redis+sentinel://[[user]:password@]host[:port][,host[:port]]/service name"
                "[?db=database number]."
            ),
        ),
        (
            "REDIS_URL",
            "redis+sentinel://a/b?db=c",
            "has an option db that must be a number.",
        ),
        (
            "REDIS_URL",
            "rediss+cluster://a,:7000",
            "must be rediss+cluster://[[user]:password@]host[:port][,host[:port]].",
        ),
        (
            "REDIS_URL",
            "redis+cluster://a/1",
            "must name no database: a Redis Cluster has but one.",
        ),
        (
            "REDIS_URL",
            "redis+cluster://a?db=1",
            "must name no database: a Redis Cluster has but one.",
        ),
        (
            "REDIS_WAIT",
            "1",
            (
                "is 1, and the embedded Redis has no replicas: set RESERVESVC_REDIS_URL to a Redis "
                "that has."
            ),
        ),
        (
            "REDIS_URL",
            "unix://relative",
            "must name an absolute path: unix:///path/of/the.sock.",
        ),
        (
            "STORE_URL",
            "postgresql://u:p@h",
            "must name a database: postgresql://user:password@host/database.",
        ),
        (
            "STORE_URL",
            "postgresql://u:p@h/d/e",
            "must name a database: postgresql://user:password@host/database.",
        ),
        (
            "STORE_URL",
            "postgresql://h/d#e",
            "must not contain #; in a password it is written %23.",
        ),
        (
            "STORE_URL",
            "postgresql+asyncpg://h/d",
            (
                "must be postgresql://user:password@host/database, "
                "sqlite:///relative/path or sqlite:////absolute/path."
            ),
        ),
        (
            "STORE_URL",
            "sqlite://x.db",
            (
                "must be postgresql://user:password@host/database, "
                "sqlite:///relative/path or sqlite:////absolute/path."
            ),
        ),
        (
            "STORE_POOL_MAX",
            "0",
            "must be a number from 1 to 1000, not '0'.",
        ),
        (
            "STORE_URL",
            "sqlite:///:memory:",
            (
                "must name a file, for bookings are to last: "
                "sqlite:///relative/path or sqlite:////absolute/path."
            ),
        ),
    ],
)
def test_a_wrong_value_is_a_sentence_that_names_it(name: str, text: str, rest: str) -> None:
    """Whoever set a wrong value reads which one it is and what it may be."""
    assert refusal({f"RESERVESVC_{name}": text}) == f"RESERVESVC_{name} {rest}"


def test_a_wrong_flag_is_named_as_a_flag() -> None:
    """A refusal uses the name under which the value was given."""
    sentence = refusal({"RESERVESVC_PORT": "1"}, {"port": "abc"})
    assert sentence == "--port must be a number from 0 to 65535, not 'abc'."


@pytest.mark.parametrize(
    "text",
    [
        "redis://",
        "redis://:6379",
        "redis://h:port",
        "redis://h:99999",
        "redis://h/x",
        "redis://a:1,b:2",
        "redis://[::1",
    ],
)
def test_an_address_of_redis_must_name_one_server(text: str) -> None:
    """What redis-py would only trip over later is refused at the start."""
    assert refusal({"RESERVESVC_REDIS_URL": text}).startswith("RESERVESVC_REDIS_URL must be ")


@pytest.mark.parametrize(
    "text",
    [
        "redis://h",
        "rediss://u:p@h:6380/3",
        "redis://[::1]:1/0",
        "unix:///a.sock",
        "REDIS://h",
        "redis+sentinel://u:p@a:1,b/shop?db=2",
        "rediss+cluster://a:1,b:2",
    ],
)
def test_an_address_of_redis_is_kept_as_given(text: str) -> None:
    """What is not refused arrives unchanged."""
    url = load({}, {"RESERVESVC_REDIS_URL": text}).redis_url
    assert url is not None
    assert url.reveal() == text


@pytest.mark.parametrize(
    ("text", "path"),
    [("sqlite:///a/b.db", "a/b.db"), ("sqlite:////a/b.db", "/a/b.db")],
)
def test_an_address_of_a_store_is_a_path(text: str, path: str) -> None:
    """Three slashes begin a relative path, four an absolute one."""
    assert load({}, {"RESERVESVC_STORE_URL": text}).store.path == Path(path)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:s3cret@h:5432/d",
        "postgres://u@h/d?sslmode=require&application_name=x",
        "postgresql://u:p@h1:1,h2:2/d?target_session_attrs=read-write",
        "postgresql:///d?host=/run/postgresql",
    ],
)
def test_an_address_of_postgresql_is_kept_for_its_driver(text: str) -> None:
    """It is revealed whole to the driver only, and shown without what may hold a password."""
    place = load({}, {"RESERVESVC_STORE_URL": text}).store
    assert place.postgres_url == text
    assert "s3cret" not in f"{place}{place!r}"
    assert str(place) == str(place.store_url)


def test_a_file_is_no_postgresql() -> None:
    """A SQLite store, named or not, is shown as its path and has no PostgreSQL address."""
    named = load({"store_url": "sqlite:////a/b.db"}, {}).store
    assert (named.postgres_url, str(named)) == (None, "/a/b.db")
    assert load({}, {}).store.postgres_url is None


def test_where_the_store_is_needs_no_other_setting() -> None:
    """A migration is not refused for what only a server needs; a misspelt name is."""
    environ = {"RESERVESVC_HOST": "0.0.0.0", "RESERVESVC_STORE_URL": "postgresql://h/d"}  # noqa: S104
    assert load_store({}, environ).postgres_url == "postgresql://h/d"
    assert load_store({"data_dir": "/x"}, {}).path == Path("/x/bookings.sqlite3")
    with pytest.raises(ConfigError, match="did you mean RESERVESVC_STORE_URL"):
        load_store({}, {"RESERVESVC_STOREURL": "x"})


def test_the_store_follows_the_data_directory() -> None:
    """Without an address of its own, the store is in the data directory."""
    config = load({"data_dir": "/srv/x"}, {})
    assert config.store.path == Path("/srv/x/bookings.sqlite3")


def test_keys_are_held_as_digests() -> None:
    """The list gives names, scopes and SHA-256 digests; a secret may hold colons."""
    config = load({}, {"RESERVESVC_API_KEYS": f"web:widget:{_SECRET}, ops:admin:a:{_SECRET},"})
    assert config.api_keys == (
        ApiKey("web", "widget", _DIGEST),
        ApiKey("ops", "admin", hashlib.sha256(f"a:{_SECRET}".encode()).digest()),
    )


def test_keys_of_list_and_file_add_up(tmp_path: Path) -> None:
    """The file's keys join those of the list; comments and empty lines are no keys."""
    file = tmp_path / "keys"
    file.write_text(f"# ours\n\nops:admin:sha256${_DIGEST.hex().upper()}  # on call\n")
    environ = {
        "RESERVESVC_API_KEYS": f"web:widget:other-{_SECRET}",
        "RESERVESVC_API_KEYS_FILE": str(file),
    }
    keys = load({}, environ).api_keys
    assert [(key.name, key.scope) for key in keys] == [("web", "widget"), ("ops", "admin")]
    assert keys[1].digest == _DIGEST


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("s3cret", "must give key 1 as name:scope:secret."),
        (f"a:admin:{_SECRET},s3cret", "must give key 2 as name:scope:secret."),
        ("a:admin:", "must give key 1 as name:scope:secret."),
        ("s3cret!:admin:x", "must name key 1 with up to 64 of A-Z a-z 0-9 . _ -."),
        ("a:root:s3cret", "must give 'a' one of the scopes widget, service, admin."),
        (f"a:admin:{_SECRET},a:widget:{_SECRET}", "has two keys named 'a'."),
        (f"a:admin:{_SECRET},b:widget:{_SECRET}", "has the same secret for 'a' and 'b'."),
        (f"a:admin:'{_SECRET}'", "has quotes around the secret of 'a'; leave them out."),
        (
            "a:admin:s3cret-01234567",
            (
                "has a secret of fewer than 16 characters for 'a', which could be guessed; "
                "`openssl rand -hex 32` makes a good one."
            ),
        ),
        (
            "a:admin:sha256$s3cret",
            "has a hash as the secret of 'a'; hashes belong into the keys file.",
        ),
    ],
)
def test_a_wrong_key_is_refused_without_its_secret(text: str, rest: str) -> None:
    """A refused key is named by its place or name; no message repeats a secret."""
    sentence = refusal({"RESERVESVC_API_KEYS": text})
    assert sentence == f"RESERVESVC_API_KEYS {rest}"
    assert "s3cret" not in sentence


@pytest.mark.parametrize(
    ("content", "rest"),
    [
        (b"a:admin:s3cret", "has no hash in line 1; expected sha256$ and 64 hex digits."),
        (b"#\na:admin", "must give line 2 as name:scope:sha256$<hex>."),
        (b"\xff", "is no text file in UTF-8."),
    ],
)
def test_a_wrong_keys_file_is_refused(tmp_path: Path, content: bytes, rest: str) -> None:
    """What is wrong in the file is said with the file's name and the line."""
    file = tmp_path / "keys"
    file.write_bytes(content)
    sentence = refusal({"RESERVESVC_API_KEYS_FILE": str(file)})
    assert sentence == f"RESERVESVC_API_KEYS_FILE ({file}) {rest}"


def test_a_byte_order_mark_is_no_part_of_a_keys_file(tmp_path: Path) -> None:
    """Some editors write one in front of the first name."""
    file = tmp_path / "keys"
    file.write_text(f"ops:admin:sha256${_DIGEST.hex()}\r\n", encoding="utf-8-sig")
    (key,) = load({"api_keys_file": str(file)}, {}).api_keys
    assert (key.name, key.digest) == ("ops", _DIGEST)


def test_a_key_of_the_list_cannot_return_in_the_file(tmp_path: Path) -> None:
    """Names are unique over both sources."""
    file = tmp_path / "keys"
    file.write_text(f"a:admin:sha256${_DIGEST.hex()}")
    sentence = refusal({"RESERVESVC_API_KEYS": f"a:admin:x{_SECRET}"}, {"api_keys_file": str(file)})
    assert sentence == f"--api-keys-file ({file}) has two keys named 'a'."


def test_a_missing_keys_file_is_refused() -> None:
    """A file that cannot be read is a refusal, not a server without keys."""
    sentence = refusal({"RESERVESVC_API_KEYS_FILE": "/nowhere/keys"})
    expected = "RESERVESVC_API_KEYS_FILE (/nowhere/keys) cannot be read: No such file or directory."
    assert sentence == expected


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.org"])  # noqa: S104
def test_without_a_key_only_loopback_is_served(host: str) -> None:
    """Others can reach the address and nothing would keep them out: refused, saying what to set."""
    sentence = refusal({"RESERVESVC_HOST": host})
    assert sentence.startswith(f"RESERVESVC_HOST is {host}, where other machines")
    assert "set RESERVESVC_API_KEYS or RESERVESVC_API_KEYS_FILE" in sentence


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    """On an address that only this machine reaches, no key is demanded."""
    assert load({"host": host}, {}).host == host


def test_with_a_key_any_address_is_served() -> None:
    """A key opens the other addresses."""
    assert load({}, _REACHABLE | {"RESERVESVC_API_KEYS": f"a:admin:{_SECRET}"}).host == "0.0.0.0"  # noqa: S104


def test_the_grace_must_be_longer_than_the_deadline() -> None:
    """A hand-off that began in time must be able to finish within the grace."""
    environ = {"RESERVESVC_DEADLINE_MS": "3000", "RESERVESVC_GRACE_MS": "3000"}
    assert refusal(environ).startswith("RESERVESVC_GRACE_MS must be more than RESERVESVC_DEADLINE_")


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("REDISURL", "did you mean RESERVESVC_REDIS_URL?"),
        ("PROT", "did you mean RESERVESVC_PORT?"),
        ("SHUTDOWN", "did you mean RESERVESVC_SHUTDOWN_S?"),
        ("MAX_HOLDS", "`reservesvc serve --help` lists them all."),
        ("SERVICE_HOSTS", "`reservesvc serve --help` lists them all."),
        ("REDIS_PORT", "did you mean RESERVESVC_REDIS_URL?"),
        ("", "`reservesvc serve --help` lists them all."),
    ],
)
def test_an_unknown_variable_is_refused(variable: str, hint: str) -> None:
    """Every variable with the service's prefix has to be a setting; the nearest one is named."""
    sentence = refusal({f"RESERVESVC_{variable}": "6379"})
    assert sentence == f"RESERVESVC_{variable} is not a setting; {hint}"


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("RESERVESVC_SERVICE_HOST", "10.0.0.1"),
        ("RESERVESVC_SERVICE_PORT", "8080"),
        ("RESERVESVC_SERVICE_PORT_HTTP", "8080"),
        ("RESERVESVC_PORT", "tcp://10.0.0.1:8081"),
        ("RESERVESVC_PORT", "tcp://[fd00::1]:8081"),
        ("RESERVESVC_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("RESERVESVC_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("RESERVESVC_PORT_8080_TCP_PORT", "8080"),
        ("RESERVESVC_PORT_8080_TCP_PROTO", "tcp"),
        ("RESERVESVC_REDIS_SERVICE_HOST", "10.0.0.2"),
        ("RESERVESVC_REDIS_PORT", "tcp://10.0.0.2:6379"),
        ("RESERVESVC_TEST_REDIS_SERVER", "/usr/bin/redis-server"),
        ("PORT", "x"),
    ],
)
def test_what_others_set_is_ignored(variable: str, text: str) -> None:
    """Kubernetes sets variables in the pods beside a service of our name; the tests have some."""
    assert load({}, {variable: text}) == load({}, {})


@pytest.mark.parametrize("around", ['"{}"', "'{}'", " {}\n", '\t"{}"\r\n'])
def test_what_env_files_leave_around_a_value_is_taken_off(around: str) -> None:
    """Quotes, and line breaks at the end, are no part of a value."""
    given = {
        "RESERVESVC_PORT": "9000",
        "RESERVESVC_REDIS_URL": "redis://:s3cret@h",
        "RESERVESVC_API_KEYS": f"web:widget:{_SECRET}",
        "RESERVESVC_KEY_PREFIX": "rsv:",
        "RESERVESVC_DATA_DIR": "/srv/x",
    }
    marked = {name: around.format(text) for name, text in given.items()}
    assert load({}, marked) == load({}, given)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("s3cret\nx", "contains a line break or another control character."),
        ("s3cret\x00x", "contains a line break or another control character."),
        ("s3cret\udcff", "is not UTF-8."),
    ],
)
def test_no_setting_holds_what_cannot_be_written(setting: Setting, text: str, why: str) -> None:
    """Neither as a variable nor as a flag; what is refused is not repeated."""
    assert refusal({setting.variable: text}) == f"{setting.variable} {why}"
    assert refusal({}, {setting.field: text}) == f"{setting.flag} {why}"


def test_a_list_may_have_a_line_for_each_item() -> None:
    """A line break after a comma is allowed; one in an item is a forgotten comma."""
    listed = f"a:admin:{_SECRET},\n b:widget:x{_SECRET}\n"
    assert len(load({}, {"RESERVESVC_API_KEYS": listed}).api_keys) == 2
    assert "line break" in refusal({"RESERVESVC_API_KEYS": listed.replace(",", "")})


def test_a_directory_below_one_that_is_not_utf8_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded Redis is called by a URL, which cannot hold such a path."""
    odd = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(odd)  # noqa: PTH102  (a path of bytes)
    monkeypatch.chdir(os.fsdecode(odd))
    expected = "RESERVESVC_DATA_DIR is a directory whose path is not UTF-8."
    assert refusal({}) == expected
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_store({}, {})
    assert load({"data_dir": "/srv"}, {}).data_dir == Path("/srv")


def test_nothing_shown_holds_a_secret() -> None:
    """Neither repr nor str of a configuration shows a password, a secret or a digest."""
    environ = {
        "RESERVESVC_REDIS_URL": "redis://user:s3cret@h:1/0?password=s3cret",
        "RESERVESVC_API_KEYS": f"web:widget:{_SECRET}",
    }
    config = load({}, environ)
    for shown in (repr(config), str(config), f"{config.redis_url}"):
        assert "s3cret" not in shown
        assert str(_DIGEST) not in shown
    assert str(config.redis_url) == "redis://user:***@h:1/0"


def test_an_address_is_a_value() -> None:
    """Equal addresses are equal, also inside a configuration, and cannot be encoded by mistake."""
    environ = {"RESERVESVC_REDIS_URL": "redis://:s3cret@h"}
    first, second = load({}, environ), load({}, environ)
    assert first == second
    assert hash(first.redis_url) == hash(second.redis_url)
    with pytest.raises(TypeError):
        msgspec.json.encode(first)
