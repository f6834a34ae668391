"""create_app(): the routes, the error handlers, the page, and what runs while the service does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.body_limit import BodyLimit
from api.hot_lane import HotLane
from api.observe import Observed
from api.problems import install_problem_handlers
from api.refusals import PROBLEM_SCHEMA
from api.routes import (
    accounts,
    devices,
    evidence,
    fees,
    health,
    limits,
    log,
    money,
    privacy,
    recharge,
    reviews,
    sessions,
)
from api.settings import Settings, read_settings
from api.wiring import Services, build_services

DESCRIPTION = """Pay for fuel by plate (车牌付).

Money is a whole number of fen, litres are text, times are RFC 3339. Every refusal is
`application/problem+json` (RFC 9457) with a stable `code`. Cameras and pumps sign each request; operators use
a bearer token. docs/http.md tells it in prose."""


def create_app(settings: Settings, services: Services | None = None) -> FastAPI:
    """The service as an ASGI app. services: built from the settings unless handed in."""
    parts = services if services is not None else build_services(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        parts.start()
        try:
            yield
        finally:
            await anyio.to_thread.run_sync(parts.stop)

    app = FastAPI(
        title="Platepay 车牌付",
        version=_version(),
        description=DESCRIPTION,
        lifespan=lifespan,
        license_info={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = parts
    for router in (
        health.router,
        sessions.router,
        accounts.router,
        recharge.router,
        money.router,
        limits.router,
        fees.router,
        devices.cameras,
        devices.pumps,
        devices.pictures,
        log.router,
        reviews.router,
        evidence.router,
        privacy.router,
    ):
        app.include_router(router)
    install_problem_handlers(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    if settings.page:
        # NiceGUI takes some 40 MB: a service without a page does not load it.
        from api.page.mount import mount_page

        mount_page(app, parts)
    app.add_middleware(BodyLimit)
    app.add_middleware(Observed, metrics=parts.metrics)
    if parts.redis_client is None:
        # Nonces in Redis are no part of a transaction: then every request goes the ordinary way.
        app.add_middleware(HotLane, services=parts)
    return app


def app_from_environment() -> FastAPI:
    """For `uvicorn --factory api.app:app_from_environment`."""
    return create_app(read_settings())


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            license_info=app.license_info,
        )
        components = schema.setdefault("components", {}).setdefault("schemas", {})
        components["Problem"] = PROBLEM_SCHEMA
        for name in ("HTTPValidationError", "ValidationError"):
            components.pop(name, None)
        app.openapi_schema = schema
    return app.openapi_schema


def _version() -> str:
    try:
        return version("platepay")
    except PackageNotFoundError:
        return "0"
