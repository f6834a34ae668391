"""What routes are handed: the service's parts, the operator or device that speaks, and a checked body."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from api.auth import Speaker
from api.errors import KeyRequired, NotJson
from api.whole_numbers import refuse_floats
from api.wiring import Services
from cameras.signing import SIGNATURE_HEADER
from wallet.access import Session

COOKIE = "platepay_session"
LONGEST_KEY = 200

bearer = HTTPBearer(auto_error=False, description="The token of POST /v1/sessions")
cookie = APIKeyCookie(
    name=COOKIE, auto_error=False, description="The same token, as the operator page keeps it"
)
device_signature = APIKeyHeader(
    name=SIGNATURE_HEADER, auto_error=False, description="HMAC-SHA256 of the request; see docs/http.md"
)


def get_services(request: Request) -> Services:
    """The parts this app was built with."""
    services: Services = request.app.state.services
    return services


Parts = Annotated[Services, Depends(get_services)]


def get_token(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    kept: Annotated[str | None, Depends(cookie)],
) -> str | None:
    """The token in the Authorization header, or the page's cookie."""
    return credentials.credentials if credentials is not None else kept


def get_operator(
    request: Request, services: Parts, token: Annotated[str | None, Depends(get_token)]
) -> Session:
    """The operator who asks. The cookie alone may only read: a form on a strange site cannot move money."""
    if request.method not in ("GET", "HEAD") and "authorization" not in request.headers:
        token = None
    return services.operators.of_token(token)


async def read_body(request: Request) -> bytes:
    """The body as it was sent; the size limit stands on the route."""
    return await request.body()


Body = Annotated[bytes, Depends(read_body)]


def get_speaker(
    request: Request, services: Parts, body: Body, _shown: Annotated[str | None, Depends(device_signature)]
) -> Speaker:
    """The device that signed this request."""
    raw_path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    query: bytes = request.scope["query_string"]
    path = raw_path.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
    return services.devices.check(request.method, path, request.headers, body)


def get_camera(speaker: Annotated[Speaker, Depends(get_speaker)]) -> Speaker:
    """The camera that signed this request."""
    speaker.must_be("camera")
    return speaker


def get_pump(speaker: Annotated[Speaker, Depends(get_speaker)]) -> Speaker:
    """The pump that signed this request."""
    speaker.must_be("pump")
    return speaker


TheOperator = Annotated[Session, Depends(get_operator)]
TheCamera = Annotated[Speaker, Depends(get_camera)]
ThePump = Annotated[Speaker, Depends(get_pump)]


def get_key(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="Names this request for ever: the same key with the same body gets the first answer.",
            examples=["5f0c2b1e-recharge-1"],
        ),
    ] = None,
) -> str:
    """The caller's key. Raises KeyRequired."""
    if key is None or not key.strip() or len(key) > LONGEST_KEY or not key.isascii():
        raise KeyRequired()
    return key


TheKey = Annotated[str, Depends(get_key)]

# Why somebody looks at evidence; kept with the look.
ThePurpose = Annotated[
    str,
    Header(
        alias="Platepay-Purpose",
        min_length=1,
        max_length=200,
        description="Why the evidence is looked at; kept with who and when",
        examples=["dispute 4711"],
    ),
]


async def whole_numbers_only(request: Request, body: Body) -> None:
    """Refuse any float in a JSON body.

    Stands after the check of who speaks. Raises NotJson, FloatForMoney.
    """
    if not body:
        return
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise NotJson(reason=f"its Content-Type is {media_type or 'missing'}, not application/json")
    refuse_floats(body)
