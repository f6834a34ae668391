"""Drivers by name, as a station's file of pumps names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from api.pumps.driver import PumpDriver
from api.pumps.http_pos import HttpPos
from api.pumps.simulator import PumpSimulator
from api.wiring import utc_now

Maker = Callable[[Sequence[str], Mapping[str, Any]], PumpDriver]


class DriverUnknown(Exception):  # noqa: N818
    """No driver goes by this name."""

    code = "driver_unknown"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"there is no pump driver {name!r} ({why}); known are {', '.join(sorted(DRIVERS))}, "
            "or package.module:maker"
        )


def _simulator(pumps: Sequence[str], _options: Mapping[str, Any]) -> PumpDriver:
    return PumpSimulator(pumps, utc_now)


def _http_pos(_pumps: Sequence[str], options: Mapping[str, Any]) -> PumpDriver:
    return HttpPos(str(options["url"]), float(options.get("timeout_s", 5.0)))


DRIVERS: Mapping[str, Maker] = {"simulator": _simulator, "http_pos": _http_pos}


def open_driver(name: str, pumps: Sequence[str], options: Mapping[str, Any] | None = None) -> PumpDriver:
    """The driver of that name for these pumps; `package.module:maker` is one that is installed beside us.

    Raises DriverUnknown.
    """
    maker = DRIVERS.get(name)
    if maker is None:
        module, colon, attribute = name.partition(":")
        if not colon:
            raise DriverUnknown(name, "not in the list")
        try:
            maker = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise DriverUnknown(name, str(error)) from None
    return maker(pumps, options or {})
