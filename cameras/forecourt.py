"""A simulated forecourt: the script of who comes when, and where each car is in the picture.

One camera looks down on two lanes with two pumps each, from behind the cars: pumps 1 and 2 are near, 3 and 4
in front of them. The ground is seen in perspective: everything scales with the distance of its foot line from
the horizon. A car for a front pump drives through the place of the pump behind it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Literal

from cameras.config import ZoneConfig
from cameras.errors import ScriptError

WIDTH_PX = 1280
HEIGHT_PX = 720
FRAMES_PER_SECOND = 10
ENTER_S = 2.0
LEAVE_S = 2.0
TAIL_S = 2.0

PlateState = Literal["clean", "blur", "dirt", "missing"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a car stands: its foot line's middle in pixels of the picture."""

    x: float
    y: float


HORIZON_Y = -518.0
NEAR_Y = 690.0
FAR_Y = 400.0
VANISHING_X = WIDTH_PX / 2
LANE_OFFSET_PX = 310.0
START_Y = 1290.0

LANES = {"1": -1, "2": 1, "3": -1, "4": 1}
DEPTHS = {"1": NEAR_Y, "2": NEAR_Y, "3": FAR_Y, "4": FAR_Y}
PUMPS = tuple(LANES)


@dataclass(frozen=True, slots=True)
class ScriptedCar:
    """One car of the script.

    pump: one of PUMPS. arrives_s: when it stands at the pump (it drives in during the ENTER_S before);
    leaves_s: when it starts to drive off (it is gone LEAVE_S later). Seconds of the stream.
    plate_state: anything but clean makes the plate unreadable for certain.
    covered: positions of the text (from 0) under thick mud; the others stay readable.
    smeared: positions whose lower half is under mud: something can be read there, but not surely.
    paint: BGR of the body; None takes one by the plate.
    """

    plate: str
    colour: str
    pump: str
    arrives_s: float
    leaves_s: float
    plate_state: PlateState = "clean"
    covered: tuple[int, ...] = ()
    smeared: tuple[int, ...] = ()
    paint: tuple[int, int, int] | None = None
    rows: int = 1


@dataclass(frozen=True, slots=True)
class Script:
    """What happens on the forecourt. length_s: None ends TAIL_S after the last car is gone."""

    cars: tuple[ScriptedCar, ...]
    length_s: float | None = None
    width_px: int = WIDTH_PX
    height_px: int = HEIGHT_PX
    seed: int = 1

    @property
    def duration_s(self) -> float:
        """The length of the stream in seconds."""
        if self.length_s is not None:
            return self.length_s
        return max((car.leaves_s + LEAVE_S for car in self.cars), default=0.0) + TAIL_S

    @property
    def frame_count(self) -> int:
        return max(1, round(self.duration_s * FRAMES_PER_SECOND))

    def digest(self) -> str:
        """A name for what this script shows; the same script has the same one."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def check_script(script: Script) -> None:
    """Raises ScriptError where two cars would stand in each other, or a value makes no sense."""
    for car in script.cars:
        if car.pump not in LANES:
            raise ScriptError(f"{car.plate}: there is no pump {car.pump!r}; pumps are {', '.join(PUMPS)}")
        if car.arrives_s < 0 or car.leaves_s <= car.arrives_s:
            raise ScriptError(f"{car.plate}: leaves at {car.leaves_s} s but arrives at {car.arrives_s} s")
        if any(not 0 <= position < len(car.plate) for position in (*car.covered, *car.smeared)):
            raise ScriptError(f"{car.plate}: a covered or smeared position is none of its characters")
    for pump in PUMPS:
        here = sorted((car for car in script.cars if car.pump == pump), key=lambda car: car.arrives_s)
        for first, second in pairwise(here):
            if second.arrives_s < first.leaves_s + 1.0:
                raise ScriptError(
                    f"{second.plate} arrives at pump {pump} at {second.arrives_s} s, "
                    f"less than a second after {first.plate} leaves at {first.leaves_s} s"
                )


def scale_at(y: float) -> float:
    """How large things look whose foot line is at y; 1 at the near pumps."""
    return (y - HORIZON_Y) / (NEAR_Y - HORIZON_Y)


def pump_place(pump: str) -> Place:
    """Where a car stands at this pump."""
    y = DEPTHS[pump]
    return Place(VANISHING_X + LANES[pump] * LANE_OFFSET_PX * scale_at(y), y)


def place_of(car: ScriptedCar, at_s: float) -> Place | None:
    """Where the car is at this second of the stream, None while it is not on the forecourt.

    It slows down evenly on the way in and speeds up evenly on the way out, which leads to the side.
    """
    stop = pump_place(car.pump)
    if at_s < car.arrives_s - ENTER_S or at_s >= car.leaves_s + LEAVE_S:
        return None
    if at_s < car.arrives_s:
        rest = (car.arrives_s - at_s) / ENTER_S
        y = stop.y + (START_Y - stop.y) * rest * rest
        return Place(VANISHING_X + LANES[car.pump] * LANE_OFFSET_PX * scale_at(y), y)
    if at_s < car.leaves_s:
        return stop
    gone = ((at_s - car.leaves_s) / LEAVE_S) ** 2
    side = LANES[car.pump]
    end_x = VANISHING_X + side * (VANISHING_X + 330.0)
    return Place(stop.x + (end_x - stop.x) * gone, stop.y - 110.0 * gone)


def zones(pumps: Sequence[str] = PUMPS) -> tuple[ZoneConfig, ...]:
    """The zones of the picture that belong to the pumps: where the plate of a standing car is."""
    found = []
    for pump in pumps:
        left, right = (0.02, 0.5) if LANES[pump] < 0 else (0.5, 0.98)
        top, bottom = (0.62, 0.99) if DEPTHS[pump] == NEAR_Y else (0.28, 0.55)
        found.append(ZoneConfig(pump, ((left, top), (right, top), (right, bottom), (left, bottom))))
    return tuple(found)
