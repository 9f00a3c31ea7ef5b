"""Logging: lines for people on a terminal, one JSON object a line otherwise; on stderr.

Knows how lines look. What is worth a line, and which names it may carry, is for the callers
to know; `redact` is only the last defence.
"""

import asyncio
import functools
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import msgspec
import structlog
from aiohttp.http_exceptions import HttpProcessingError

_SECRET = re.compile(r"(?i)authorization|cookie|password|passwd|secret|token|(^|[_-])key$")
_MASK = "***"
_NAMES_MAX = 1024
_LEVELS = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)


def configure(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Set up structlog, and the standard library's loggers to go the same way.

    Args:
        log_format: `console`, `json`, or `auto`: console if the stream is a terminal.
        level: the least important level to write, as in `debug`.
        stream: where to, stderr if None.

    """
    out = sys.stderr if stream is None else stream
    number = getattr(logging, level.upper())
    console = is_for_people(log_format, out)
    structlog.configure(
        processors=[*_COMMON, *(_for_people(out) if console else _FOR_MACHINES)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=(
            structlog.PrintLoggerFactory(out)
            if console
            else structlog.BytesLoggerFactory(out.buffer)
        ),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_ToStructlog()], level=number, force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("aiohttp.server").addFilter(shorten_malformed)


class JsonLines:
    """Writes structs as JSON lines, all of one turn of the event loop at once.

    For the one line every request has: the way through structlog's processors costs ten times
    as much. Whoever builds the struct chooses its fields, so there is nothing to redact.

    Args:
        stream: where to, stderr if None.

    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._out = (sys.stderr if stream is None else stream).buffer
        self._lines: list[msgspec.Struct] = []

    def write(self, line: msgspec.Struct) -> None:
        """Write `line` at the end of this turn."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush)
        self._lines.append(line)

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        self._out.write(_ENCODER.encode_lines(lines))
        self._out.flush()


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
        try:
            level = next((n for n in _LEVELS if n <= record.levelno), logging.DEBUG)
            # The text goes in as it is: an event with arguments would be formatted again.
            extra = {"exc_info": record.exc_info} if record.exc_info else {}
            self._log.log(level, record.getMessage(), logger=record.name, **extra)
        except Exception:  # noqa: BLE001  (logging's rule: a broken record breaks no caller)
            self.handleError(record)


@functools.lru_cache(_NAMES_MAX)
def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None


def _for_people(out: TextIO) -> list[structlog.typing.Processor]:
    return [
        structlog.dev.ConsoleRenderer(
            colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]


_COMMON: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    redact,
]
_ENCODER = msgspec.json.Encoder(enc_hook=repr)
_encode = _ENCODER.encode
_FOR_MACHINES: list[structlog.typing.Processor] = [
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(serializer=lambda event, **_: _encode(event)),
]
