"""What routes are handed: the service's parts, the operator or device that speaks, and a checked body."""

from __future__ import annotations

import json
from typing import Annotated, NoReturn

from fastapi import Depends, Header, Request
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from api.auth import Speaker
from api.errors import FloatForMoney, KeyRequired, NotJson
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


async def whole_numbers_only(request: Request, body: Body) -> None:
    """Refuse any float in a JSON body: one that is exact today is 0.30000000000000004 tomorrow.

    Stands after the check of who speaks. Raises NotJson, FloatForMoney.
    """
    if not body:
        return
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise NotJson(reason=f"its Content-Type is {media_type or 'missing'}, not application/json")
    refuse_floats(body)


def refuse_floats(body: bytes) -> None:
    """Raises NotJson where the bytes are no JSON, FloatForMoney with the first float's field otherwise."""
    try:
        document = json.loads(body, parse_float=_Float, parse_constant=_constant, object_pairs_hook=_unique)
        field = _find_float(document, "")
    except ValueError as error:
        raise NotJson(reason=str(error)) from None
    except RecursionError:
        raise NotJson(reason="it is nested too deeply") from None
    if field is not None:
        raise FloatForMoney(field=field)


class _Float(str):
    """A number with a fraction or exponent, as it was written."""

    __slots__ = ()


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object names the same field twice")
    return members


def _find_float(value: object, path: str) -> str | None:
    match value:
        case _Float():
            return path or "the body"
        case dict():
            items = [(str(name), item) for name, item in value.items()]
        case list():
            items = [(str(index), item) for index, item in enumerate(value)]
        case _:
            return None
    for name, item in items:
        found = _find_float(item, f"{path}.{name}" if path else name)
        if found is not None:
            return found
    return None
