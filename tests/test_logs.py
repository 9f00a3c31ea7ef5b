"""Log lines: what they look like, and what never stands in them."""

import asyncio
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import msgspec
import pytest
import structlog
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from reservesvc import logs
from reservesvc.config import load


class Terminal(io.TextIOWrapper):
    """A text stream in memory that may say it is a terminal."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        """Tell what it was told to be."""
        return self._terminal

    @property
    def text(self) -> str:
        """Everything written so far."""
        written = self.buffer
        assert isinstance(written, io.BytesIO)
        return written.getvalue().decode()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Everything written so far, each line being a JSON object."""
        return [json.loads(line) for line in self.text.split("\n")[:-1]]


@pytest.fixture
def stream() -> Iterator[Terminal]:
    """Return a stream to configure logging with; put logging back afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield Terminal()
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    logging.getLogger("aiohttp.server").removeFilter(logs.shorten_malformed)
    root.handlers[:], root.level = before


def test_elsewhere_a_line_is_a_json_object(stream: Terminal) -> None:
    """Off a terminal every event is one line of JSON with time, level and event."""
    logs.configure("auto", "info", stream)
    structlog.get_logger().info("reserved", resource_id="room-1", text="a\nb", odd={1, 2}.__class__)
    (line,) = stream.lines
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "reserved",
        "level": "info",
        "resource_id": "room-1",
        "text": "a\nb",
        "odd": "<class 'set'>",
    }


def test_on_a_terminal_a_line_is_for_people(stream: Terminal) -> None:
    """On a terminal the same event is text in colours; `json` insists on JSON."""
    terminal = Terminal(terminal=True)
    logs.configure("auto", "info", terminal)
    structlog.get_logger().info("reserved", resource_id="room-1")
    assert "reserved" in terminal.text
    assert "\x1b[" in terminal.text
    logs.configure("json", "info", stream)
    structlog.get_logger().info("reserved")
    assert stream.lines[0]["event"] == "reserved"


def test_console_into_a_file_has_no_colours(stream: Terminal) -> None:
    """`console` off a terminal is text without escape sequences."""
    logs.configure("console", "info", stream)
    structlog.get_logger().info("reserved", resource_id="room-1")
    assert "resource_id=room-1" in stream.text
    assert "\x1b[" not in stream.text


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_lesser_levels_are_left_out(stream: Terminal, log_format: str) -> None:
    """Below the level nothing is written, by structlog or by the standard library."""
    logs.configure(log_format, "warning", stream)
    structlog.get_logger().info("less")
    logging.getLogger("redis").info("less")
    structlog.get_logger().warning("more")
    logging.getLogger("redis").warning("more")
    assert "less" not in stream.text
    assert stream.text.count("more") == 2


def test_the_standard_librarys_records_take_the_same_way(stream: Terminal) -> None:
    """A library's record becomes an event with its logger's name, arguments filled in."""
    logs.configure("json", "info", stream)
    logging.getLogger("redis").error("%d%% of %s", 3, "keys")
    logging.getLogger("redis").log(35, "between the levels")
    first, second = stream.lines
    assert (first["event"], first["level"], first["logger"]) == ("3% of keys", "error", "redis")
    assert (second["event"], second["level"]) == ("between the levels", "warning")


class Unspeakable:
    """What cannot be shown."""

    def __repr__(self) -> str:
        """Fail."""
        message = "this object has no text"
        raise ValueError(message)


def endless() -> list[object]:
    """Return a list that contains itself."""
    found: list[object] = []
    found.append(found)
    return found


VALUES: dict[str, Callable[[], object]] = {
    "a repr that raises": Unspeakable,
    "a repr that raises, inside": lambda: {"a": [Unspeakable()]},
    "no UTF-8": lambda: "\udcff",
    "a mapping with odd names": lambda: {Unspeakable: 1, (1, 2): 3},
    "a list in itself": endless,
    "bytes": lambda: b"\xff",
    "a large integer": lambda: 1 << 99,
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_any_value_can_be_logged(stream: Terminal, log_format: str, name: str) -> None:
    """No value keeps its event from being one line, and the call never raises."""
    logs.configure(log_format, "info", stream)
    structlog.get_logger().info("reserved", resource_id="room-1", value=VALUES[name]())
    (line,) = stream.text.splitlines()
    assert "reserved" in line
    assert "room-1" in line


@settings(max_examples=30, deadline=None)
@given(st.recursive(st.text() | st.integers() | st.binary() | st.floats(), st.lists))
def test_any_nested_value_can_be_logged(value: object) -> None:
    """As above, for values that hypothesis draws."""
    found = Terminal()
    logs.configure("json", "info", found)
    structlog.get_logger().info(value, value=value)
    assert len(found.lines) == 1


def test_a_record_that_cannot_be_rendered_breaks_no_caller(stream: Terminal) -> None:
    """A library's record whose arguments do not fit is written without them, and counted."""
    logs.configure("json", "info", stream)
    before = logs.losses().failures
    logging.getLogger("redis").error("%d", "no number")
    assert [(line["event"], line["logger"]) for line in stream.lines] == [("'%d'", "redis")]
    assert logs.losses().failures == before + 1


def broken(*_: object) -> NoReturn:
    """Be a processor, or a stream, that fails."""
    message = "the log is broken"
    raise OSError(message)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_processor_that_raises_breaks_no_caller(stream: Terminal, log_format: str) -> None:
    """The call returns, the failure is counted, and a line says that something is missing."""
    logs.configure(log_format, "info", stream)
    structlog.configure(processors=[broken])
    before = logs.losses().failures
    structlog.get_logger().error("lost")
    structlog.get_logger().exception("lost")
    structlog.get_logger().info("%d", "no number")
    logging.getLogger("redis").error("lost")
    assert logs.losses().failures == before + 4
    assert stream.text.count("log_call_failed") == 4


class Odd(msgspec.Struct, tag_field="event", tag="odd"):
    """A line that may hold anything."""

    value: object


async def test_a_request_line_that_cannot_be_encoded_is_written_as_text(stream: Terminal) -> None:
    """Nor do those that were written in the same turn get lost."""
    logs.configure("json", "info", stream)
    lines = logs.JsonLines()
    values = [*range(logs.TOGETHER_MAX), "\udcff", Unspeakable(), 3]
    for value in values:
        lines.write(Odd(value))
    await asyncio.sleep(0)
    assert [line["event"] for line in stream.lines] == ["odd"] * len(values)
    assert [line["value"] for line in stream.lines if type(line["value"]) is int] == [*range(8), 3]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_stays_with_its_line(stream: Terminal, log_format: str) -> None:
    """An exception is written along with its event; in JSON it stays inside the line."""
    logs.configure(log_format, "info", stream)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        structlog.get_logger().exception("broken")
        logging.getLogger("aiohttp").exception("broken as well")
    assert stream.text.count("ZeroDivisionError: ") == 2
    if log_format == "json":
        assert [line["level"] for line in stream.lines] == ["error", "error"]


def test_a_warning_is_a_line(stream: Terminal) -> None:
    """What Python warns about is logged like anything else."""
    logs.configure("json", "info", stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    assert "old ways" in stream.lines[0]["event"]


@pytest.mark.parametrize(
    "name",
    ["authorization", "Authorization", "api_key", "key", "x-api-key", "password", "secret_hex"],
)
def test_values_named_like_secrets_are_masked(stream: Terminal, name: str) -> None:
    """A name that says secret hides its value, also one level down."""
    logs.configure("json", "info", stream)
    structlog.get_logger().info("x", **{name: "s3cret"}, headers={name: "s3cret", "Host": "h"})
    assert "s3cret" not in stream.text
    assert stream.lines[0][name] == "***"
    assert stream.lines[0]["headers"] == {name: "***", "Host": "h"}


@pytest.mark.parametrize("name", ["key_prefix", "monkey", "resource_id", "keys"])
def test_other_values_are_left_alone(stream: Terminal, name: str) -> None:
    """A name that merely resembles one is shown."""
    logs.configure("json", "info", stream)
    structlog.get_logger().info("x", **{name: "shown"})
    assert stream.lines[0][name] == "shown"


def test_a_configuration_in_a_line_shows_no_password(stream: Terminal) -> None:
    """An address handed to the logger comes out redacted."""
    logs.configure("json", "info", stream)
    config = load({}, {"RESERVESVC_REDIS_URL": "redis://:s3cret@h"})
    structlog.get_logger().info("x", redis=config.redis_url, config=config)
    assert "s3cret" not in stream.text
    assert "redis://:***@h" in stream.text


async def test_a_malformed_request_is_one_line(stream: Terminal) -> None:
    """What is no HTTP gets 400 and one short line that repeats nothing of it."""
    logs.configure("json", "info", stream)
    runner = web.AppRunner(web.Application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0])
    writer.write(b"GET / HTTP/1.1\r\nAuthorization s3cret\r\n\r\n")
    assert b" 400 " in await reader.readline()
    writer.close()
    await runner.cleanup()
    (line,) = stream.lines
    assert line["event"].startswith("malformed request: ")
    assert (line["level"], line["logger"]) == ("info", "aiohttp.server")
    assert "exception" not in line
    assert "s3cret" not in stream.text


async def test_a_handlers_own_error_keeps_its_traceback(stream: Terminal) -> None:
    """Only malformed requests are shortened; a bug in a handler is shown whole."""
    logs.configure("json", "info", stream)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("aiohttp.server").exception("Error handling request")
    assert "Traceback" in stream.lines[0]["exception"]
