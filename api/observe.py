"""The outermost layer of each request: an id, a count, and no error that leaks."""

from __future__ import annotations

import logging
import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import InternalError
from api.metrics import Metrics
from api.problems import problem_response

log = logging.getLogger(__name__)

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Observed:
    """ASGI middleware: names the request, measures it, and turns what nobody caught into internal_error."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope["platepay.request_id"] = request_id
        status = 0
        started = time.perf_counter()

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"x-frame-options", b"DENY"),
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        except Exception:  # the outermost catch: logged with its id, counted as 500
            log.exception("request %s: %s %s failed", request_id, scope["method"], scope["path"])
            if status:
                raise
            await problem_response(InternalError(), request_id)(scope, receive, send_named)
        finally:
            route = _route_template(scope)
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.requests.labels(method, route, str(status or 500)).inc()
            self._metrics.request_seconds.labels(method, route).observe(time.perf_counter() - started)


def _route_template(scope: Scope) -> str:
    """The route's pattern, never the path itself: a label must not grow with what strangers ask for."""
    route = scope.get("route")
    template = getattr(route, "path_format", None) or getattr(route, "path", None)
    if isinstance(template, str) and template:
        return template
    return "page" if scope["path"].startswith("/operator") else "unknown"
