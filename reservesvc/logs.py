"""Logging: lines for people on a terminal, one JSON object a line otherwise; on stderr.

Knows how lines look. What is worth a line, and which names it may carry, is for the callers
to know; `redact` is only the last defence.

A log call never waits and never raises: no line is worth a booking. What cannot be rendered is
written as plain text, what cannot be written is counted (`losses`).
"""

import asyncio
import functools
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from time import time_ns
from typing import Any, NamedTuple, Protocol, TextIO

import msgspec
import structlog
from aiohttp.http_exceptions import HttpProcessingError

from reservesvc.counts import Cells
from reservesvc.domain import times
from reservesvc.log_writer import LogWriter

BUFFER_BYTES = 4 << 20
"""lines that may wait for their reader; about ten thousand requests"""
CLOSE_S = 2.0
"""how long a reader may take for what is left when the service stops"""
_SECRET = re.compile(r"(?i)authorization|cookie|password|passwd|secret|token|(^|[_-])key$")
_MASK = "***"
_NAMES_MAX = 1024
_LEVELS = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)
_METHODS = (
    "debug",
    "info",
    "msg",
    "warning",
    "warn",
    "error",
    "exception",
    "critical",
    "fatal",
    "log",
)
TOGETHER_MAX = 8
"""lines that are encoded together; so many fit into one write to a pipe"""


class Put(Protocol):
    """Takes whole lines, and how many they are."""

    def __call__(self, text: bytes, lines: int = 1) -> None:
        """Leave them to be written."""
        ...


Event = MutableMapping[str, Any]


class Losses(NamedTuple):
    """What became of log lines that could not be written as they were meant."""

    dropped: int
    """lines that did not fit into the buffer while the reader took none"""
    failures: int
    """lines that could not be rendered, and writes that the system refused"""


class _Output:
    """Where lines go, and what went wrong on the way."""

    def __init__(self) -> None:
        self.put: Put = _discard
        self.render: Callable[[Event], bytes] = _as_json
        self.writer: LogWriter | None = None
        self.losses: Cells = [0.0, 0.0]
        """as `Losses` has them"""


def configure(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Set up structlog, and the standard library's loggers to go the same way.

    Args:
        log_format: `console`, `json`, or `auto`: console if the stream is a terminal.
        level: the least important level to write, as in `debug`.
        stream: written to at once; stderr by a thread of its own if None, until `close`.

    """
    close()
    _output.losses = [0.0, 0.0]
    out = sys.stderr if stream is None else stream
    console = is_for_people(log_format, out)
    number = getattr(logging, level.upper())
    _output.render = _as_text(out) if console else _as_json
    if stream is None:
        _output.writer = LogWriter(out.fileno(), _gap, _output.losses, BUFFER_BYTES)
        _output.put = _output.writer.put
        # Python's own would print to stderr, from the event loop, and wait for its reader.
        sys.unraisablehook = _log_unraisable
        threading.excepthook = _log_ended_thread
    else:
        _output.put = _at_once(stream)
    structlog.configure(
        processors=[*_COMMON, _rendered],
        wrapper_class=_never_raising(structlog.make_filtering_bound_logger(number)),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_ToStructlog()], level=number, force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("aiohttp.server").addFilter(shorten_malformed)


def close(within_s: float = CLOSE_S) -> None:
    """Write what is buffered, as far as the reader takes it in time; drop what comes later."""
    writer, _output.writer = _output.writer, None
    if writer is not None:
        _output.put = _discard
        writer.close(within_s)


def losses() -> Losses:
    """Return what was lost since the start."""
    dropped, failures = _output.losses
    return Losses(round(dropped), round(failures))


def count_losses_in(cells: Cells) -> None:
    """Count losses in these two numbers from now on, and add those so far."""
    before, _output.losses = _output.losses, cells
    if _output.writer is not None:
        _output.writer.losses = cells
    for place, lost in enumerate(before):
        cells[place] += lost


def say(text: str) -> None:
    """Write a text for people, with its newline, as it is."""
    _output.put(text.encode(errors="backslashreplace"))


class JsonLines:
    """Writes structs as JSON lines, those of one turn of the event loop together.

    For the one line every request has: the way through structlog's processors costs ten times
    as much. The caller that builds the struct chooses its fields, so there is nothing to redact.
    """

    def __init__(self) -> None:
        self._lines: list[msgspec.Struct] = []

    def write(self, line: msgspec.Struct) -> None:
        """Write `line` at the end of this turn."""
        self._lines.append(line)
        if len(self._lines) == 1:
            asyncio.get_running_loop().call_soon(self._flush)
        elif len(self._lines) >= TOGETHER_MAX:
            self._flush()

    def _flush(self) -> None:
        if not self._lines:  # there were so many that they have left already
            return
        lines, self._lines = self._lines, []
        try:
            text = _ENCODER.encode_lines(lines)
        except Exception:  # noqa: BLE001  see the module
            text = b"".join(_as_json(_fields(line)) + b"\n" for line in lines)
        _output.put(text, len(lines))


def own_standard_files() -> None:
    """Open `/dev/null` in the place of standard files that were closed, before others get there.

    Else the next file that is opened gets the number of stderr, and everything that prints there
    writes into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115  as long as we
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115  as long as we


def is_for_people(log_format: str, stream: TextIO) -> bool:
    """Tell whether `stream` gets lines for people rather than JSON."""
    return log_format == "console" or (log_format == "auto" and stream.isatty())


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask the values whose names say that they are secret, one level into mappings."""
    for name, value in event.items():
        if _is_secret(name):
            event[name] = _MASK
        elif isinstance(value, Mapping):
            event[name] = {k: _MASK if _is_secret(str(k)) else v for k, v in value.items()}
    return event


def shorten_malformed(record: logging.LogRecord) -> bool:
    """Make one line of aiohttp's traceback about a request that was no HTTP.

    The exception's text is left out: it repeats the client's bytes, headers with keys and all.
    """
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.msg, record.args = "malformed request: %s", (type(error).__name__,)
        record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True


class _ToStructlog(logging.Handler):
    """Hands the records of the standard library's loggers to structlog."""

    def __init__(self) -> None:
        super().__init__()
        self._log = structlog.get_logger()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as a structlog event with its logger's name."""
        level = next((n for n in _LEVELS if n <= record.levelno), logging.DEBUG)
        extra = {"exc_info": record.exc_info} if record.exc_info else {}
        # The text goes in as it is: an event with arguments would be formatted again.
        self._log.log(level, _text_of(record), logger=record.name, **extra)


class _Lines:
    """What structlog writes to: takes rendered lines, at whichever level."""

    def __init__(self, *_: object) -> None: ...

    def msg(self, line: bytes) -> None:
        """Write the line."""
        _output.put(line)

    debug = info = warning = error = critical = msg


def _text_of(record: logging.LogRecord) -> str:
    """Return the text of a record; as it was before its arguments, where they do not fit."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  a library's broken record breaks no caller
        _output.losses[1] += 1
        return _safe_repr(record.msg)


def _never_raising(logger: Any) -> type[structlog.typing.FilteringBoundLogger]:  # noqa: ANN401  made by structlog
    """Return a kind of logger that counts what `logger` raises, and says so in a line."""
    guarded = {name: _guarded(getattr(logger, name)) for name in _METHODS}
    return type("Logger", (logger,), guarded)


def _guarded(method: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(method)
    def call(*arguments: object, **fields: object) -> object:
        try:
            return method(*arguments, **fields)
        except Exception as error:  # noqa: BLE001  see the module
            _output.losses[1] += 1
            _put_event("log_call_failed", "error", error=type(error).__name__)
            return None

    return call


def _rendered(_logger: object, _method: str, event: Event) -> bytes:
    """Render an event as the line it is; structlog's last processor."""
    return _output.render(event) + b"\n"


def _as_json(event: Event) -> bytes:
    with_trace = structlog.processors.format_exc_info(None, "", event)
    try:
        return _ENCODER.encode(with_trace)
    except Exception:  # noqa: BLE001  see the module
        return _as_plain_json(with_trace)


def _as_plain_json(event: Mapping[str, Any]) -> bytes:
    _output.losses[1] += 1
    return _ENCODER.encode(_plain(event))


def _as_text(out: TextIO) -> Callable[[Event], bytes]:
    """Return what renders events for people, in colours where `out` is a terminal."""
    render = structlog.dev.ConsoleRenderer(
        colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
    )

    def as_text(event: Event) -> bytes:
        try:
            text = render(None, "", {**event})
        except Exception:  # noqa: BLE001  see the module
            _output.losses[1] += 1
            text = render(None, "", _plain(event))
        return text.encode(errors="backslashreplace")

    return as_text


def _plain(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event with values that can always be rendered."""
    return {_ascii(name): _ascii(value) for name, value in event.items()}


def _ascii(value: object) -> str:
    text = value if isinstance(value, str) else _safe_repr(value)
    return text.encode("ascii", "backslashreplace").decode()


def _safe_repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  some class's bug
        return f"<{type(value).__name__} without a repr>"


def _fields(line: msgspec.Struct) -> dict[str, Any]:
    return {"event": line.__struct_config__.tag, **msgspec.structs.asdict(line)}


def _log_unraisable(hooked: "sys.UnraisableHookArgs") -> None:
    _log.error("exception_ignored", where=hooked.object, exc_info=hooked.exc_value)


def _log_ended_thread(hooked: threading.ExceptHookArgs) -> None:
    name = hooked.thread.name if hooked.thread else ""
    _log.error("thread_ended", thread=name, exc_info=hooked.exc_value)


def _put_event(event: str, level: str, **fields: object) -> None:
    _output.put(_line(event, level, **fields))


def _line(event: str, level: str, **fields: object) -> bytes:
    """Render a line about the log itself, past everything that may fail."""
    now = times.render_now(time_ns() // 1_000_000)
    return _output.render({**fields, "event": event, "level": level, "timestamp": now}) + b"\n"


def _gap(dropped: int) -> bytes:
    return _line("log_lines_dropped", "warning", dropped=dropped)


@functools.lru_cache(_NAMES_MAX)
def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None


def _discard(text: bytes, lines: int = 1) -> None:
    """Drop what is logged before the log is set up, or after it was closed."""
    del text, lines


def _at_once(stream: TextIO) -> Put:
    def put(text: bytes, lines: int = 1) -> None:
        del lines
        stream.buffer.write(text)

    return put


_COMMON: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    redact,
]
_ENCODER = msgspec.json.Encoder(enc_hook=repr)
_output = _Output()
_log = structlog.get_logger()
