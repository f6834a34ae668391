"""The service as `platepay serve` runs it, for the benchmark: with one address more, which does nothing.

python -m api.commands.bench_http_server FD    # the settings come from the environment
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.app import create_app
from api.commands.serve import SERVER_OPTIONS, keep_garbage_small
from api.settings import read_settings

EMPTY = "/bench/empty"


async def _empty(request: Request) -> Response:
    await request.body()
    return Response(status_code=201)


def main(listener: socket.socket) -> None:
    """Serves until it is told to stop."""
    app = create_app(read_settings())
    app.router.routes.insert(0, Route(EMPTY, _empty, methods=["POST"]))
    keep_garbage_small()
    config = uvicorn.Config(app, **{**SERVER_OPTIONS, "log_level": "warning"})
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
