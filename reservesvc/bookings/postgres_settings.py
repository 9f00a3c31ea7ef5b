"""What projects and resources share: their version, and the keys that made them.

A setting is kept whole, as a JSON document; its times come from the database's clock and
stand in columns of their own. Whoever changes settings locks the row of their version first,
so that changes come one after the other: they are rare, and nobody who books waits for it.
"""

from reservesvc.bookings.postgres_errors import DEPENDENCY
from reservesvc.bookings.postgres_rows import one
from reservesvc.bookings.postgres_transaction import CollidedError, Session
from reservesvc.domain.outcomes import KeyReused
from reservesvc.ports import Idempotency

_KEY = "SELECT fingerprint, id FROM idempotency_keys WHERE digest = $1 AND kind = $2"
_KEEP_KEY = """
    INSERT INTO idempotency_keys (digest, fingerprint, kind, id) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING
"""
_NONE_INSERTED = "INSERT 0 0"
_FORGET_KEYS = "DELETE FROM idempotency_keys WHERE kind = $1 AND id = $2"
_LOCK = "SELECT version FROM settings_version FOR UPDATE"


async def version(session: Session) -> int:
    """Return a number that every change to a project or a resource raises."""
    number: int = (await session.fetchrow("SELECT version FROM settings_version"))[0]
    return number


async def lock(session: Session) -> None:
    """Let nobody else change settings until the transaction ends."""
    await session.execute(_LOCK)


async def raise_version(session: Session) -> None:
    """Let every server know that a setting was changed."""
    await session.execute("UPDATE settings_version SET version = version + 1")


async def made_by(
    session: Session, idempotency: Idempotency | None, kind: str
) -> str | KeyReused | None:
    """Return the id of what the key made; `KeyReused` where that was for another body."""
    if idempotency is None:
        return None
    row = await one(session, _KEY, idempotency.digest, kind)
    if row is None:
        return None
    fingerprint, made = row
    return idempotency.judge((str(made), str(fingerprint)))


async def created(session: Session, idempotency: Idempotency | None, kind: str, made: str) -> None:
    """Note that the key made a setting, and that settings have changed."""
    await keep_key(session, idempotency, kind, made)
    await raise_version(session)


async def keep_key(session: Session, idempotency: Idempotency | None, kind: str, made: str) -> None:
    """Note what the key made, if there is one.

    Raises:
        CollidedError: another request with the key was quicker; the next attempt finds it.

    """
    if idempotency is None:
        return
    key = (idempotency.digest, idempotency.fingerprint, kind, made)
    if await session.execute(_KEEP_KEY, *key) == _NONE_INSERTED:
        raise CollidedError(DEPENDENCY, "the Idempotency-Key was just used by another request")


async def deleted(session: Session, kind: str, gone: str) -> None:
    """Forget the key that made a setting, note that settings have changed."""
    # A key answers with what it made; with that gone it has no answer left to give.
    await session.execute(_FORGET_KEYS, kind, gone)
    await raise_version(session)
