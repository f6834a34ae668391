"""Puts the operator page on the service: the login as plain routes, log and review as NiceGUI pages."""

from __future__ import annotations

import functools

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from nicegui import app as nicegui_app
from nicegui import run, ui
from starlette.types import ASGIApp, Receive, Scope, Send

from api.deps import COOKIE
from api.errors import NotSignedIn
from api.page import login
from api.page.match_log import MatchLog
from api.page.review import ReviewPage
from api.wiring import Services

MOUNT = "/operator"
_IN_SCOPE = "platepay.services"


class HandServices:
    """ASGI middleware: NiceGUI's pages belong to the process, so each request brings its own app's parts."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_IN_SCOPE] = self._services
        await self._app(scope, receive, send)


def mount_page(app: FastAPI, services: Services) -> None:
    """Mount login, log and review. NiceGUI keeps one app a process: the one mounted last serves it."""
    app.include_router(login.router)
    app.add_middleware(HandServices, services=services)

    @app.get("/", include_in_schema=False)
    def to_log() -> Response:
        return RedirectResponse(f"{MOUNT}/")

    _register_pages()
    # A service that was mounted and served before in this process left its middleware built.
    nicegui_app.middleware_stack = None
    nicegui_app.user_middleware.clear()
    ui.run_with(
        app,
        mount_path=MOUNT,
        title="车牌付 Platepay",
        language="zh-CN",
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=10.0,
        binding_refresh_interval=None,
    )


@functools.cache
def _register_pages() -> None:
    @ui.page("/", title="车牌付 Platepay · 识别记录")
    async def show_log(request: Request) -> Response | None:
        return await _show(request, MatchLog)

    @ui.page("/review", title="车牌付 Platepay · 人工复核")
    async def show_review(request: Request) -> Response | None:
        return await _show(request, ReviewPage)


async def _show(request: Request, page: type[MatchLog | ReviewPage]) -> Response | None:
    services: Services = request.scope[_IN_SCOPE]
    token = request.cookies.get(COOKIE)
    try:
        operator = await run.io_bound(services.operators.of_token, token)
    except NotSignedIn:
        operator = None
    if operator is None:
        return RedirectResponse(login.LOGIN, status_code=303)
    await page(services, token or "", operator).show()
    return None
