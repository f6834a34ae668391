"""`platepay pump-simulator`: a pump that exists only here, at a real service, for one fill."""

from __future__ import annotations

import json
import random
import sys
import time

import httpx

from api.commands.failures import CommandError
from api.pumps.controller import PumpController
from api.pumps.driver import Transaction
from api.pumps.http_service import HttpService
from api.pumps.simulator import Fault, PumpSimulator
from api.wiring import utc_now
from wallet.errors import InvalidAmount
from wallet.money import fen, parse_litres

ROUND_S = 0.25
_FAULTS: tuple[Fault, ...] = ("fine", "lost", "answer_lost", "twice", "delayed")


def simulate_pump(
    *,
    url: str,
    station: str,
    pump: str,
    device: str,
    key: str,
    grade: str,
    litres: str,
    unit_price_fen: int,
    wait_s: float,
    seed: int | None,
    as_json: bool,
) -> int:
    """Waits for a car, fuels, reports, clears; 0 once the pump is idle again, 1 where no car came in time.

    seed: of a line that loses one call in two; None: a good line. Raises CommandError.
    """
    try:
        litres_ml, _ = parse_litres(litres), fen(unit_price_fen, least=1, what="unit_price_fen")
    except InvalidAmount as error:
        raise CommandError(str(error)) from error
    faults: list[Fault] = []
    if seed is not None:
        chance = random.Random(seed)  # noqa: S311  a bad line, no secret
        faults = [chance.choice(_FAULTS) if chance.random() < 0.5 else "fine" for _ in range(200)]
    simulated = PumpSimulator([pump], utc_now, faults, prefix=f"{station}-{utc_now():%Y%m%dT%H%M%S%f}")
    service = HttpService(url, station, device, key)
    controller = PumpController(simulated, service)
    sold: Transaction | None = None
    until = time.monotonic() + wait_s
    try:
        while time.monotonic() < until:
            step = controller.visit(pump)
            _say(as_json, pump, step)
            if sold is not None and step in ("cleared", "nothing"):
                return 0
            if sold is None and simulated.is_open(pump):
                simulated.lift_and_fuel(pump)
                sold = simulated.hang_up(pump, litres_ml, grade, unit_price_fen)
            time.sleep(ROUND_S)
    except httpx.HTTPStatusError as error:
        raise CommandError(f"{url} refused: {error.response.text}") from error
    finally:
        service.close()
    sys.stderr.write(f"no car was let fuel at pump {pump} within {wait_s:g} s\n")
    return 1


def _say(as_json: bool, pump: str, step: str) -> None:
    line = json.dumps({"pump": pump, "step": step}) if as_json else f"pump {pump}: {step}"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
