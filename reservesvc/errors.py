"""What should not happen. Expected ends of a verb are values (`domain.outcomes`)."""


class ReservesvcError(Exception):
    """Base of every exception this service raises on purpose."""


class ConfigError(ReservesvcError):
    """The configuration cannot be used; the message says which setting and why."""


class UnavailableError(ReservesvcError):
    """A dependency could not do its part, and nothing was changed by the call that failed.

    Args:
        dependency: as named by `/readyz`, such as `"redis"` or `"store"`.
        detail: one sentence for people; no secret, no SQL, no key.

    """

    def __init__(self, dependency: str, detail: str) -> None:
        super().__init__(f"{dependency}: {detail}")
        self.dependency = dependency
        self.detail = detail


class OutcomeUnknownError(UnavailableError):
    """A dependency was asked to change something and its answer was lost.

    The change may or may not have happened. Repeating the request resolves it.
    """
