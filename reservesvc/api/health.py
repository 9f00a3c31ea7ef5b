"""`/livez`, `/readyz`, `/metrics`: what machines ask."""

import asyncio

from reservesvc.api import replies
from reservesvc.api.call import Call, Check
from reservesvc.api.replies import Reply
from reservesvc.errors import UnavailableError
from reservesvc.metrics import CONTENT_TYPE

CHECK_S = 1.0
"""how long a dependency may take to answer"""


async def livez(call: Call) -> Reply:
    """Tell that the process answers."""
    del call
    return replies.json({"status": "live"})


async def readyz(call: Call) -> Reply:
    """Tell whether every dependency can do its part, and which one cannot, and why."""
    checks = call.context.checks
    results = await asyncio.gather(*map(_result, checks.values()))
    ready = all(result["status"] == "ok" for result in results)
    call.outcome = "ready" if ready else "unavailable"
    body = {"status": call.outcome, "checks": dict(zip(checks, results, strict=True))}
    return replies.json(body, 200 if ready else 503)


async def metrics(call: Call) -> Reply:
    """Return the metrics in Prometheus' text format."""
    return Reply(200, call.context.metrics.render(), content_type=CONTENT_TYPE)


async def _result(check: Check) -> dict[str, str]:
    try:
        async with asyncio.timeout(CHECK_S):
            await check()
    except UnavailableError as error:
        return {"status": "failed", "reason": error.detail}
    except TimeoutError:
        return {"status": "failed", "reason": f"no answer within {CHECK_S:g} s"}
    return {"status": "ok"}
