"""The command `reservesvc`: flags in, exit status out; no logic.

Exit status: 0 fine, 1 could not run, 2 told something it cannot use; of `doctor` 1 is that
something is wrong, 2 that it could not look. What goes wrong for the person at the keyboard is a
sentence on stderr, never a traceback.
"""

import argparse
import asyncio
import contextlib
import errno
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from difflib import get_close_matches
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from msgspec import Struct

from reservesvc import __doc__ as what_it_is
from reservesvc import __version__, logs
from reservesvc.apikeys import ApiKey
from reservesvc.config import DOCTOR_SETTINGS, STORE_SETTINGS, load, load_store
from reservesvc.config_table import SETTINGS, Setting
from reservesvc.counts import SharedCounts
from reservesvc.domain.slot import RESOURCE_ID_RULE, is_resource_id
from reservesvc.errors import ConfigError, ReservesvcError
from reservesvc.key_reload import hold_hangups

T = TypeVar("T")

_FAILED, _MISUSED, _INTERRUPTED = 1, 2, 130
_BIND_ERRORS = {
    errno.EADDRINUSE: (
        "Port {port} of {host} is in use: stop what listens there, or choose another with --port."
    ),
    errno.EADDRNOTAVAIL: "This machine has no address {host}: choose another with --host.",
    errno.EAFNOSUPPORT: "This machine has no address {host}: choose another with --host.",
    errno.EACCES: "This user may not listen on port {port}: choose one above 1023 with --port.",
}
_LAYOUT: dict[str, Any] = {
    "formatter_class": argparse.RawDescriptionHelpFormatter,
    "allow_abbrev": False,
}
_START = (
    "`reservesvc serve` is the one to begin with; `reservesvc serve --help` lists its settings."
)
_EXAMPLES = """\
examples:
  reservesvc serve
      on http://127.0.0.1:8080, with a Redis and a booking store of its own in ./reservesvc-data
  reservesvc serve --redis-url redis://redis.internal:6379/0 --port 9000
      with a Redis that runs elsewhere
  RESERVESVC_API_KEYS=shop:service:$SECRET reservesvc serve --host 0.0.0.0
      for other machines, which need a key

Every flag has a variable, named in brackets; a flag wins over its variable.
"""
_MIGRATE_EXAMPLES = """\
example:
  RESERVESVC_STORE_URL=postgresql://reservesvc:$PASSWORD@db/reservesvc reservesvc migrate
      before the first start on PostgreSQL, and before that of a version which needs more

It may run more than once and at several places at once. On SQLite the service does it itself.
"""


_BACKUP_EXAMPLES = """\
example:
  reservesvc backup /backups/bookings-$(date +%F).sqlite3
      with the settings of `serve`; the file must not exist

A booking store on PostgreSQL is backed up with pg_dump.
"""
_DOCTOR_EXAMPLES = """\
examples:
  reservesvc doctor
      beside the running service, with the same settings; changes nothing
  reservesvc doctor --resource room-1 --fix
      puts right what is wrong with room-1, as the service would

Exit status: 0 all is well, 1 something is wrong (still), 2 it could not look; stderr says why.
"""


class _Command(Struct, frozen=True):
    """What `reservesvc <name>` says about itself, takes and does."""

    help: str
    epilog: str
    add_flags: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    words: str = ""
    """what stands before the flags in its usage"""
    failed: int = _FAILED
    """the exit status where a dependency or the machine does not do its part"""


class _CannotServeError(ReservesvcError):
    """The machine does not let us do what the configuration asks for."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Args:
        argv: the words after the program's name; those of this process if None.

    """
    logs.own_standard_files()
    parser, of_commands = _parsers()
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        of_commands.get(arguments.command, parser).refuse(unknown)
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return _MISUSED
    command = _COMMANDS[arguments.command]
    try:
        return command.run(arguments)
    except ReservesvcError as error:
        with contextlib.suppress(OSError):  # a full disk changes no exit status
            print(f"reservesvc: {error}", file=sys.stderr)  # noqa: T201  (a command speaks so)
        return _MISUSED if isinstance(error, ConfigError) else command.failed
    except KeyboardInterrupt:
        return _INTERRUPTED


def explain(error: OSError, host: str, port: int) -> str | None:
    """Return what the operator can do about an error of the machine; None if it is a bug."""
    if isinstance(error, socket.gaierror):
        return f"The host name {host} cannot be resolved."
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    sentence = _BIND_ERRORS.get(error.errno or 0)
    return sentence and sentence.format(host=host, port=port)


def _serve(arguments: argparse.Namespace) -> int:
    hold_hangups()  # before the keys are read: a signal that comes later reads them again
    config = load(vars(arguments), os.environ)
    # Late, for help and refusals are to come at once.
    from reservesvc.app import serve  # noqa: PLC0415

    logs.configure(config.log_format, config.log_level)
    try:
        _run(serve(config, partial(_read_keys, arguments), arguments.counts))
    except OSError as error:
        sentence = explain(error, config.host, config.port)
        if sentence is None:
            raise
        raise _CannotServeError(sentence) from error
    finally:
        logs.close()
    return 0


def _read_keys(arguments: argparse.Namespace) -> tuple[ApiKey, ...]:
    """Return the API keys that the settings name now."""
    return load(vars(arguments), os.environ).api_keys


def _migrate(arguments: argparse.Namespace) -> int:
    place = load_store(vars(arguments), os.environ)
    # Late, for help and refusals are to come at once.
    from reservesvc.migrate import migrate  # noqa: PLC0415

    _run(migrate(place, lambda line: print(line, flush=True)))  # noqa: T201  (what it did)
    return 0


def _backup(arguments: argparse.Namespace) -> int:
    place = load_store(vars(arguments), os.environ)
    # Imported here so that `--help` and refusals are fast.
    from reservesvc.backup import backup  # noqa: PLC0415

    backup(place, arguments.to, lambda line: print(line, flush=True))  # noqa: T201
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    config = load(vars(arguments), os.environ)
    resource_id = arguments.resource
    if resource_id is not None and not is_resource_id(resource_id):
        message = f"--resource {RESOURCE_ID_RULE}."
        raise ConfigError(message)
    # Late, for help and refusals are to come at once.
    from reservesvc.doctor import doctor  # noqa: PLC0415

    is_well = _run(doctor(config, resource_id, fix=arguments.fix, json=arguments.json))
    return 0 if is_well else _FAILED


def _run(work: Coroutine[object, object, T]) -> T:
    """Run `work` on uvloop where it is installed, on asyncio's own loop elsewhere."""
    try:
        from uvloop import run  # noqa: PLC0415  (it is not on every platform)
    except ImportError:
        return asyncio.run(work)
    return run(work)


class _Parser(argparse.ArgumentParser):
    """A parser that names the nearest flag where it refuses one."""

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Exit with a sentence about words that are no arguments."""
        misspelt = next((word.partition("=")[0] for word in words if word.startswith("-")), "")
        nearest = get_close_matches(misspelt, self._option_string_actions, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        self.error(f"unrecognized arguments: {' '.join(words)}{hint}")


def _parsers() -> tuple[_Parser, dict[str, _Parser]]:
    """Return the parser of the command line, and those of the commands by name."""
    parser = _Parser(prog="reservesvc", description=what_it_is, epilog=_START, **_LAYOUT)
    parser.add_argument("--version", action="version", version=f"reservesvc {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="command")
    for name, command in _COMMANDS.items():
        flags = commands.add_parser(
            name,
            usage=f"reservesvc {name} {command.words}[flags]",
            help=command.help,
            description=f"{command.help[0].upper()}{command.help[1:]}.",
            epilog=command.epilog,
            **_LAYOUT,
        )
        command.add_flags(flags)
    return parser, dict(commands.choices)


def _add_settings(settings: Sequence[Setting], parser: argparse.ArgumentParser) -> None:
    for title, rows in groupby(settings, key=lambda setting: setting.group):
        group = parser.add_argument_group(title)
        for setting in rows:
            note = f"{setting.help} [{setting.variable}; default: {setting.default_text}]"
            group.add_argument(
                setting.flag,
                dest=setting.field,
                metavar=setting.form,
                help=note.replace("%", "%%"),
            )


def _add_serve(parser: argparse.ArgumentParser) -> None:
    _add_settings(SETTINGS, parser)
    # Only the first process of several gives it, to its workers.
    parser.add_argument("--counts", type=SharedCounts.parsed, help=argparse.SUPPRESS)


def _add_backup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("to", metavar="TO", type=Path, help="the file to make")
    _add_settings(STORE_SETTINGS, parser)


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("What to do")
    group.add_argument("--resource", metavar="ID", help="look at this resource, not at all")
    group.add_argument("--fix", action="store_true", help="repair what can be, then look again")
    group.add_argument("--json", action="store_true", help="say it for programs, in one line")
    _add_settings(DOCTOR_SETTINGS, parser)


_COMMANDS = {
    "serve": _Command(
        help="run the service until SIGTERM or Ctrl-C",
        epilog=_EXAMPLES,
        add_flags=_add_serve,
        run=_serve,
    ),
    "migrate": _Command(
        help="create the booking store's schema, or bring it up to date",
        epilog=_MIGRATE_EXAMPLES,
        add_flags=partial(_add_settings, STORE_SETTINGS),
        run=_migrate,
    ),
    "backup": _Command(
        help="copy the SQLite booking store to a new file, beside the running service",
        epilog=_BACKUP_EXAMPLES,
        add_flags=_add_backup,
        words="TO ",
        run=_backup,
    ),
    "doctor": _Command(
        help="compare Redis with the booking store, say what is wrong, repair it",
        epilog=_DOCTOR_EXAMPLES,
        add_flags=_add_doctor,
        run=_doctor,
        failed=_MISUSED,
    ),
}
