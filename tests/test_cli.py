"""The command line: exit status, sentences, help."""

import asyncio
import errno
import os
import runpy
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from reservesvc import __version__, cli
from reservesvc.bookings.sqlite_schema import VERSION
from reservesvc.config import DOCTOR_SETTINGS, Config
from reservesvc.config_table import SETTINGS, Setting
from reservesvc.errors import UnavailableError
from tests.servers import free_port

Serve = Callable[[Config], object]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every command without settings from outside, and leave logging as it is."""
    for name in list(os.environ):
        if name.startswith("RESERVESVC_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr("reservesvc.logs.configure", lambda *_: None)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Return the configurations that `serve` was called with; it returns at once."""
    calls: list[Config] = []
    put_serve(monkeypatch, calls.append)
    return calls


def put_serve(monkeypatch: pytest.MonkeyPatch, act: Serve) -> None:
    """Put `act` in the place of the service."""

    async def serve(config: Config, _: object, counts: object) -> None:
        assert counts is None
        act(config)

    app = ModuleType("reservesvc.app")
    monkeypatch.setattr(app, "serve", serve, raising=False)
    monkeypatch.setitem(sys.modules, "reservesvc.app", app)


def raising(error: BaseException) -> Serve:
    """Return a service that fails with `error`."""

    def act(_: Config) -> None:
        raise error

    return act


def test_serve_gets_the_configuration(served: list[Config]) -> None:
    """`serve` runs the service with what flags and environment say, and ends with 0."""
    assert cli.main(["serve", "--port", "0", "--log-level=debug"]) == 0
    (config,) = served
    assert (config.port, config.log_level) == (0, "debug")


def test_serve_reads_the_environment(served: list[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables count where no flag does."""
    monkeypatch.setenv("RESERVESVC_PORT", "7")
    assert cli.main(["serve"]) == 0
    assert served[0].port == 7


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_in_the_help(setting: Setting, capsys: pytest.CaptureFixture[str]) -> None:
    """`serve --help` names each setting's flag and variable."""
    with pytest.raises(SystemExit) as left:
        cli.main(["serve", "--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert f"{setting.flag} " in shown
    assert f"[{setting.variable};" in shown


def test_a_wrong_setting_is_a_sentence(
    served: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    """A value that cannot be used ends with 2 and one line; nothing is started."""
    assert cli.main(["serve", "--port", "abc"]) == 2
    assert capsys.readouterr().err == (
        "reservesvc: --port must be a number from 0 to 65535, not 'abc'.\n"
    )
    assert served == []


def test_an_unknown_flag_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """A flag nobody knows ends with 2; an abbreviation is none."""
    for flag in ("--nonsense", "--por"):
        with pytest.raises(SystemExit) as left:
            cli.main(["serve", flag, "1"])
        assert left.value.code == 2
        assert f"unrecognized arguments: {flag}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (("serve", "--prot", "9000"), "--port"),
        (("serve", "--prot=9000"), "--port"),
        (("serve", "--port", "1", "--redis_url", "redis://h"), "--redis-url"),
        (("doctor", "--fixx"), "--fix"),
        (("migrate", "--store", "sqlite:x"), "--store-url"),
        (("--versoin",), "--version"),
    ],
)
def test_a_misspelt_flag_suggests_the_right_one(
    words: tuple[str, ...], nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nearest flag of the command, and no other, is named."""
    with pytest.raises(SystemExit) as left:
        cli.main(words)
    assert left.value.code == 2
    assert capsys.readouterr().err.rstrip().endswith(f"; did you mean {nearest}?")


def test_nothing_is_suggested_where_nothing_is_near(capsys: pytest.CaptureFixture[str]) -> None:
    """A flag of another command does not count, nor does a word that is no flag."""
    for words in (["serve", "--fix"], ["serve", "port"]):
        with pytest.raises(SystemExit):
            cli.main(words)
        assert "did you mean" not in capsys.readouterr().err


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """`reservesvc` alone tells what there is, and ends with 2."""
    assert cli.main([]) == 2
    assert "serve" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the package's version."""
    with pytest.raises(SystemExit) as left:
        cli.main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"reservesvc {__version__}\n"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            UnavailableError("redis", "it is a replica"),
            "redis: it is a replica",
        ),
        (
            OSError(errno.EADDRINUSE, "in use"),
            (
                "Port 9 of 127.0.0.1 is in use: stop what listens there, or choose another with "
                "--port."
            ),
        ),
        (
            OSError(errno.EADDRNOTAVAIL, "no such address"),
            "This machine has no address 127.0.0.1: choose another with --host.",
        ),
        (
            PermissionError(errno.EACCES, "no"),
            "This user may not listen on port 9: choose one above 1023 with --port.",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/srv/x"),
            "/srv/x: Permission denied.",
        ),
        (
            socket.gaierror(socket.EAI_NONAME, "unknown"),
            "The host name 127.0.0.1 cannot be resolved.",
        ),
    ],
)
def test_what_the_machine_refuses_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    sentence: str,
) -> None:
    """A server that cannot start ends with 1 and says what to do."""
    put_serve(monkeypatch, raising(error))
    assert cli.main(["serve", "--port", "9"]) == 1
    assert capsys.readouterr().err == f"reservesvc: {sentence}\n"


def test_a_port_in_use_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error that the event loop really raises for a port in use is the one we explain."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        async def serve(*_: object) -> None:
            await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", port)

        app = ModuleType("reservesvc.app")
        monkeypatch.setattr(app, "serve", serve, raising=False)
        monkeypatch.setitem(sys.modules, "reservesvc.app", app)
        assert cli.main(["serve"]) == 1
        monkeypatch.setitem(sys.modules, "uvloop", None)
        assert cli.main(["serve"]) == 1


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that no operator caused is not made into a sentence."""
    put_serve(monkeypatch, raising(OSError(errno.EBADF, "bad descriptor")))
    with pytest.raises(OSError, match="bad descriptor"):
        cli.main(["serve"])


def test_ctrl_c_before_the_service_listens_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An interrupt that the service does not handle itself ends with 130."""
    put_serve(monkeypatch, raising(KeyboardInterrupt()))
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert cli.main(["serve"]) == 130


@pytest.mark.parametrize(("installed", "module"), [(True, "uvloop"), (False, "asyncio")])
def test_uvloop_is_used_where_installed(
    monkeypatch: pytest.MonkeyPatch, module: str, *, installed: bool
) -> None:
    """The service runs on uvloop, and without it on asyncio's own loop."""
    loops: list[str] = []

    def act(_: Config) -> None:
        loops.append(type(asyncio.get_running_loop()).__module__)

    put_serve(monkeypatch, act)
    if not installed:
        monkeypatch.setitem(sys.modules, "uvloop", None)
    assert cli.main(["serve"]) == 0
    assert loops[0].startswith(module)


def test_migrate_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a SQLite file it makes the file, and says which version that has; again, it may."""
    file = tmp_path / "bookings.sqlite"
    for _ in range(2):
        assert cli.main(["migrate", "--store-url", f"sqlite:///{file}"]) == 0
        assert capsys.readouterr().out == f"{file} has schema version {VERSION}\n"
    assert file.exists()


def test_migrate_takes_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    """Its help names the settings of the store and no other; another's flag is refused."""
    with pytest.raises(SystemExit):
        cli.main(["migrate", "--help"])
    shown = capsys.readouterr().out
    flags = {setting.flag for setting in SETTINGS if f"{setting.flag} " in shown}
    assert flags == {"--store-url", "--data-dir"}
    with pytest.raises(SystemExit) as left:
        cli.main(["migrate", "--port", "1"])
    assert left.value.code == 2


def test_the_doctor_takes_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    """Its help names the settings that say what there is to look at, and not the others."""
    with pytest.raises(SystemExit):
        cli.main(["doctor", "--help"])
    shown = capsys.readouterr().out
    flags = {setting.flag for setting in SETTINGS if f"{setting.flag} " in shown}
    assert flags == {setting.flag for setting in DOCTOR_SETTINGS}
    assert {"--redis-url", "--store-url", "--key-prefix", "--data-dir"} <= flags
    assert "--port" not in flags
    assert all(f"{flag} " in shown for flag in ("--resource", "--fix", "--json"))


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_store_that_cannot_be_reached_is_a_sentence(
    command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Nobody listens there: exit status 1, where that is, what to look at, and no password."""
    port = free_port()
    words = ["--store-url", f"postgresql://u:s3cret@127.0.0.1:{port}/d"]
    assert cli.main([command, *words, "--data-dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"reservesvc: store: the database at 127.0.0.1:{port} cannot be reached; is PostgreSQL "
        "running there, and is RESERVESVC_STORE_URL right?"
    )


def test_the_package_runs_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m reservesvc` is the same command."""
    monkeypatch.setattr(sys, "argv", ["reservesvc", "serve", "--port", "x"])
    with pytest.raises(SystemExit) as left:
        runpy.run_module("reservesvc", run_name="__main__")
    assert left.value.code == 2


def test_help_and_refusals_need_no_server() -> None:
    """Until it serves, the command loads neither the service nor uvloop."""
    code = (
        "import sys; from reservesvc.cli import main; status = main(['serve', '--port', 'x']);"
        "sys.exit(status if not {'reservesvc.app', 'uvloop'} & set(sys.modules) else 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 2
