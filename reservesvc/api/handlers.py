"""What the server that speaks HTTP needs of the service: something that answers, and refuses."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp import web

from reservesvc.api.problems import Problem
from reservesvc.api.replies import Reply
from reservesvc.metrics import Metrics

Handler = Callable[[web.BaseRequest], Awaitable[Reply]]
"""what answers requests"""
Refuse = Callable[[Problem], Reply]
"""answers what never was a request, and counts and logs it like one"""


class Application(NamedTuple):
    """The service without the server that runs it."""

    answer: Handler
    refuse: Refuse
    metrics: Metrics
