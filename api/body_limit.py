"""No body may be larger than its address takes, whether its length is announced or not."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import PayloadTooLarge
from api.evidence import LARGEST_BYTES
from api.problems import problem_response

LARGEST_JSON_BYTES = 64 * 1024
EVIDENCE_PATH = "/v1/evidence/"
# Up to here the rest is read and thrown away, so that the sender hears the answer instead of a broken pipe.
DRAINED_BYTES = 16 * 1024 * 1024


class BodyLimit:
    """ASGI middleware: answers payload_too_large before the body is in memory."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = LARGEST_BYTES if scope["path"].startswith(EVIDENCE_PATH) else LARGEST_JSON_BYTES
        announced = _announced(scope)
        if announced > limit:
            if announced <= DRAINED_BYTES:
                await _drain(receive)
            await problem_response(PayloadTooLarge(), scope.get("platepay.request_id"))(scope, receive, send)
            return
        total = 0

        async def receive_counted() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > limit:
                raise HTTPException(413)
            return message

        await self._app(scope, receive_counted, send)


async def _drain(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
