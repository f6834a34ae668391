"""The login of the operator page: one plain form, no script, a cookie no script can read."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.deps import COOKIE, Parts
from api.errors import LockedOut, TooBusy, WrongPassword

router = APIRouter(prefix="/operator", include_in_schema=False)

HOME = "/operator/"
LOGIN = "/operator/login"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
}

FORM = Path(__file__).with_name("login.html").read_text(encoding="utf-8")


@router.get("/login")
def show_form() -> HTMLResponse:
    """The form."""
    return _form()


@router.post("/login")
def log_in(
    request: Request,
    services: Parts,
    name: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=256)],
) -> Response:
    """Set the session's cookie and go to the log, or show the form again with what is wrong."""
    if not _from_here(request):
        return _form("登录请求来自其他网站 The login came from another site.", name, 403)
    try:
        token, _expires_at = services.operators.login(name, password)
    except WrongPassword:
        return _form("用户名或密码错误 Wrong name or password.", name, 401)
    except LockedOut as error:
        minutes = -(-int(str(error.facts["retry_after_s"])) // 60)
        text = f"尝试次数过多，请 {minutes} 分钟后再试 Too many attempts; try again in {minutes} min."
        return _form(text, name, 429)
    except TooBusy:
        return _form("系统繁忙，请稍后再试 Busy; try again in a moment.", name, 503)
    response = RedirectResponse(HOME, status_code=303)
    response.set_cookie(
        COOKIE,
        token,
        max_age=services.settings.session_s,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


@router.post("/logout")
def log_out(request: Request, services: Parts) -> Response:
    """End the session and forget the cookie."""
    token = request.cookies.get(COOKIE)
    if token and _from_here(request):
        services.operators.logout(token)
    response = RedirectResponse(LOGIN, status_code=303)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response


def _from_here(request: Request) -> bool:
    """Whether the form was on a page of this service, as far as the browser tells."""
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


def _form(message: str = "", name: str = "", status: int = 200) -> HTMLResponse:
    shown = f'<p class="wrong" role="alert">{html.escape(message)}</p>' if message else ""
    return HTMLResponse(
        FORM.replace("<!-- message -->", shown).replace("<!-- name -->", html.escape(name, quote=True)),
        status_code=status,
        headers=HEADERS,
    )
