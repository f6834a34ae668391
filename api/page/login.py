"""The login of the operator page: one plain form, no script, a cookie no script can read."""

from __future__ import annotations

import html
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
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
}

FORM = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>车牌付 Platepay · 登录</title><style>
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: #f4f6f9; color: #16202c;
  font: 15px/1.5 "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "Segoe UI", sans-serif; }}
main {{ width: min(360px, 88vw); background: #fff; border: 1px solid #e3e8ee; border-radius: 14px; padding: 30px 30px 34px;
  box-shadow: 0 10px 30px rgba(14, 34, 56, .07); }}
h1 {{ font-size: 22px; margin: 0 0 2px; }} h1 span {{ color: #5b6b7d; font-weight: 400; font-size: 16px; }}
p.lead {{ margin: 0 0 20px; color: #5b6b7d; font-size: 13.5px; }}
label {{ display: block; font-size: 13px; color: #5b6b7d; margin: 14px 0 5px; }}
input {{ width: 100%; box-sizing: border-box; font: inherit; padding: 10px 12px; border: 1px solid #c6d0db; border-radius: 8px; }}
input:focus {{ outline: 3px solid #bcd8f8; border-color: #0f5fbf; }}
button {{ width: 100%; margin-top: 22px; font: inherit; font-weight: 600; padding: 11px; border: 0; border-radius: 8px;
  background: #0f5fbf; color: #fff; cursor: pointer; }} button:hover {{ background: #0c4f9f; }}
.wrong {{ background: #fdeceb; color: #b3261e; border-radius: 8px; padding: 9px 12px; font-size: 13.5px; margin: 0 0 4px; }}
</style></head><body><main><h1>车牌付 <span>Platepay</span></h1><p class="lead">识别记录 · operator log</p>
{message}<form method="post" action="/operator/login">
<label for="name">用户名 Name</label><input id="name" name="name" value="{name}" autocomplete="username" required autofocus>
<label for="password">密码 Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button type="submit">登录 Log in</button></form></main></body></html>"""


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
        FORM.format(message=shown, name=html.escape(name, quote=True)), status_code=status, headers=HEADERS
    )
