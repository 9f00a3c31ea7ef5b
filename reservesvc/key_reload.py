"""Reading the API keys again while the service runs, as SIGHUP asks for."""

import asyncio
import signal
from collections.abc import Callable

import structlog

from reservesvc.apikeys import ApiKey
from reservesvc.errors import ConfigError

ReadKeys = Callable[[], tuple[ApiKey, ...]]
"""reads the configured keys; raises `ConfigError` where they cannot be used"""

_log = structlog.get_logger()


def hold_hangups() -> None:
    """Make SIGHUP wait for `hangups`, so that none ends a process that is still starting."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def hangups() -> asyncio.Event:
    """Return an event that each SIGHUP sets, in place of ending the process."""
    hung_up = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    return hung_up


async def reload_keys(
    hung_up: asyncio.Event, read: ReadKeys, use: Callable[[tuple[ApiKey, ...]], None]
) -> None:
    """Read the keys at every SIGHUP; those that cannot be used leave the ones before in place.

    Args:
        hung_up: see `hangups`.
        read: reads the keys.
        use: makes the server take these keys, and no other.

    """
    while True:
        await hung_up.wait()
        hung_up.clear()
        try:
            keys = await asyncio.to_thread(read)
        except ConfigError as error:
            _log.error("keys not read", reason=str(error))
            continue
        if not keys:
            # Without a key a server lets every caller in: a file that was emptied, or is just
            # being written, must not do that.
            _log.error("keys not read", reason="There is no API key any more; the old ones stay.")
            continue
        use(keys)
        _log.info("keys read", keys=len(keys))
