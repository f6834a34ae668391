"""What is gathered of one plate while it is before the camera: looks, best pictures, neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from vision.consensus import Consensus, Look, Thumb, agree, novelty, thumb_of
from vision.quality import UNREADABLE_WIDTH_PX, quality
from vision.rectify import edges, possible_rows
from vision.stack import Stack, begin_stack
from vision.track import edit_distance
from vision.types import Corners, Image, LookTaken, PlateText, Position, Reading, Sighting
from vision.zones import Rest

Point = npt.NDArray[np.float64]

# What a reader says of a crop that may have so many rows.
ReadCrop = Callable[[Image, Sequence[int]], PlateText]

# More looks than these add nothing but time, and more that could not be read add nothing at all.
MOST_LOOKS = 48
MOST_UNREAD = 4
# How many texts of a stay keep their best picture until it is decided.
MOST_PICTURES = 3
# How many looks keep their crop for the second reader, the best ones.
MOST_CROPS = 6
# What cannot be read is worth reporting only if the detector is so sure that it is a plate.
SURELY_A_PLATE = 0.6
# What cannot be read and has never moved so far (plate widths) belongs to the place: a sign, the camera's own
# lettering. A car has driven in.
HAS_MOVED_WIDTHS = 0.5
# A car has one plate: what is never read and is seen so often so near (plate widths) a likelier plate is a
# sticker or a sign on the same car.
NEVER_ALONE = 0.6
ONE_CAR_WIDTHS = 1.3
# A reading that is not sure is of the stay before it if it is so near (plate widths) and differs in so few.
NEAR_WIDTHS = 3.0
FEW_CHARACTERS = 2
# A stack of fewer frames is hardly better than one of them. Read once, it is read again when it has twice as
# many, and before a decision when it has so many times as many.
LEAST_STACKED = 4
MORE_STACKED, LAST_STACKED = 2.0, 1.25
# So many frames one after the other that do not fit a stack are the beginning of another.
MOST_MISFITS = 3


@dataclass(slots=True, eq=False)
class Stay:
    """A plate's presence before the camera. Changed by its `Stays` only.

    number: of its first track. counted_at: when it was first seen where looks count, or None.
    seen: in how many frames; score_sum: of the detector over them; surest: its best. widest: in pixels.
    began_at: its middle when first seen; moved_widths: how far from there it has been, in plate widths.
    beside: of these, how many with a likelier plate on the same car.
    readings: how often it was read where it counts; looks: what counts of it.
    stood_s: how long at most it has stood in one place of each zone.
    stack: the frames since it last stood, added up; misfits: how many since then did not fit. stacked: what
    was last read of such a stack.
    """

    number: int
    camera: str
    first_seen_at: datetime
    seen_at: datetime
    corners: Corners
    rest: Rest
    zone: str | None = None
    counted_at: datetime | None = None
    seen: int = 0
    score_sum: float = 0.0
    surest: float = 0.0
    widest: float = 0.0
    began_at: Point | None = None
    moved_widths: float = 0.0
    beside: int = 0
    readings: int = 0
    looks: list[Look] = field(default_factory=list)
    pictures: dict[str | None, tuple[float, Reading, Image]] = field(default_factory=dict)
    stood_s: dict[str, float] = field(default_factory=dict)
    stack: Stack | None = None
    misfits: int = 0
    stacked: Look | None = None
    consensus: Consensus | None = None
    sighting: Sighting | None = None

    @property
    def centre(self) -> Point:
        """The middle of the plate where it was last seen, pixels."""
        return np.asarray(self.corners.mean(axis=0), np.float64)

    @property
    def width(self) -> float:
        """Its width there, pixels."""
        return edges(self.corners)[0]

    @property
    def text(self) -> str | None:
        """What it reads so far."""
        return self.consensus.text if self.consensus is not None else None

    @property
    def all_looks(self) -> list[Look]:
        """The looks and, where there is one, that at the stack."""
        return self.looks if self.stacked is None else [*self.looks, self.stacked]

    @property
    def second_readings(self) -> int:
        """How many of its looks the second reader has read."""
        return sum(look.second is not None for look in self.looks)

    @property
    def is_attachment(self) -> bool:
        """Whether this is no plate of its own: unread, and mostly beside a likelier plate."""
        return self.text is None and self.seen > 0 and self.beside >= NEVER_ALONE * self.seen

    def is_plate(self, least_seen: int) -> bool:
        """Whether this is a plate for certain: read, or seen so often, near, surely, and by itself."""
        if self.text is not None:
            return True
        is_seen = self.seen >= least_seen and self.widest >= UNREADABLE_WIDTH_PX
        return is_seen and self.surest >= SURELY_A_PLATE and not self.is_attachment

    def see(self, corners: Corners, score: float, at: datetime) -> None:
        """Take in where it is now."""
        self.corners, self.seen_at = corners, at
        self.seen += 1
        self.score_sum += score
        self.surest = max(self.surest, score)
        self.widest = max(self.widest, self.width)
        self.began_at = self.centre if self.began_at is None else self.began_at
        moved_px = float(np.linalg.norm(self.centre - self.began_at))
        self.moved_widths = max(self.moved_widths, moved_px / max(self.width, 1.0))
        self.rest.see(self.centre, self.width, at)


def add_frame(stay: Stay, image: Image, corners: Corners, *, is_found: bool) -> None:
    """Add a frame to the stay's stack, or begin another where the plate is not where it stood.

    image: (H, W, 3) uint8 BGR; not changed. is_found: whether these corners were found in this frame.
    """
    if stay.stack is not None and stay.stack.add(image, corners if is_found else None):
        stay.misfits = 0
        return
    stay.misfits += 1
    if stay.stack is None or stay.stack.frames < LEAST_STACKED or stay.misfits >= MOST_MISFITS:
        stay.stack, stay.misfits = begin_stack(image, corners), 0


def is_stack_due(stay: Stay, *, is_last: bool) -> bool:
    """Whether the stack has so many more frames than when it was last read that it is worth reading."""
    stack = stay.stack
    if stack is None or stack.frames < LEAST_STACKED:
        return False
    return stack.frames >= stack.read_frames * (LAST_STACKED if is_last else MORE_STACKED)


def read_stack(stay: Stay, first: ReadCrop) -> None:
    """Have the first reader read the stack, if there is one: one look, in place of the one before."""
    stack = stay.stack
    if stack is None:
        return
    crop, corners = stack.crop(), stack.mean_corners
    rows, width_px = possible_rows(corners), edges(corners)[0]
    stay.stacked = Look(
        plate=first(crop, rows),
        weight=quality(crop, width_px),
        novelty=1.0,
        thumb=thumb_of(crop),
        crop=crop,
        rows=rows,
        captured_at=stay.seen_at,
        frames=stack.frames,
    )
    stack.read_frames = stack.frames
    stay.consensus = agree(stay.all_looks)


def add_look(stay: Stay, reading: Reading, thumb: Thumb, image: Image) -> None:
    """Take one more reading into the stay's consensus and keep its picture if it is a good one."""
    stay.readings += 1
    unread = sum(look.plate.text is None for look in stay.looks)
    has_room = unread < MOST_UNREAD if reading.plate.text is None else len(stay.looks) - unread < MOST_LOOKS
    if has_room:
        new = novelty(thumb, stay.looks)
        rows = possible_rows(reading.detection.corners)
        look = Look(reading.plate, reading.quality, new, thumb, reading.crop, rows)
        stay.looks.append(replace(look, captured_at=reading.captured_at))
        keep_best_crops(stay.looks)
        stay.consensus = agree(stay.all_looks)
    worth = reading.quality * (0.1 + reading.plate.confidence)
    keep_picture(stay.pictures, reading.plate.text, (worth, reading, image))


def taken(looks: Sequence[Look]) -> tuple[LookTaken, ...]:
    """The looks without their pictures, oldest first."""
    kept = [
        LookTaken(look.captured_at, look.plate, look.weight, look.worth, look.second)
        for look in looks
        if look.captured_at is not None
    ]
    return tuple(sorted(kept, key=lambda look: look.captured_at))


def keep_best_crops(looks: list[Look]) -> None:
    """Let go of the crops of all but the best looks; changes `looks`."""
    with_crop = [i for i, look in enumerate(looks) if look.crop is not None]
    if len(with_crop) > MOST_CROPS:
        worst = min(with_crop, key=lambda i: looks[i].worth)
        looks[worst] = replace(looks[worst], crop=None)


def ask_second(stay: Stay, second: ReadCrop) -> bool:
    """Have the second reader read the best look it has not seen; whether there was one.

    What the first reader takes for no plate of ours at all, the second is not asked about: two readers make
    a text surer, not more things plates.
    """
    open_ = [
        (look.worth, -i) for i, look in enumerate(stay.looks) if look.crop is not None and look.plate.text
    ]
    if not open_:
        return False
    best = -max(open_)[1]
    look = stay.looks[best]
    if look.crop is None:
        return False
    stay.looks[best] = replace(look, crop=None, second=second(look.crop, look.rows))
    stay.consensus = agree(stay.all_looks)
    return True


def ask_stacked(stay: Stay, second: ReadCrop) -> bool:
    """Have the second reader read the stack as it was last read, unless it has; whether it did now."""
    look = stay.stacked
    if look is None or look.crop is None or look.plate.text is None:
        return False
    stay.stacked = replace(look, crop=None, second=second(look.crop, look.rows))
    stay.consensus = agree(stay.all_looks)
    return True


def keep_picture(
    pictures: dict[str | None, tuple[float, Reading, Image]],
    text: str | None,
    picture: tuple[float, Reading, Image],
) -> None:
    """Keep the best picture of each text, and of few texts; changes `pictures`."""
    if text not in pictures or picture[0] > pictures[text][0]:
        pictures[text] = picture
    if len(pictures) > MOST_PICTURES:
        del pictures[min(pictures, key=lambda t: pictures[t][0])]


def note_neighbours(visible: Sequence[Stay]) -> None:
    """Count for each stay whether it is seen on one car with a likelier plate; changes them."""
    for stay in visible:
        for other in visible:
            if other is stay:
                continue
            apart = float(np.linalg.norm(stay.centre - other.centre))
            if apart <= ONE_CAR_WIDTHS * max(stay.width, other.width) and is_likelier(other, stay):
                stay.beside += 1
                break


def is_likelier(one: Stay, other: Stay) -> bool:
    """Whether the one is more surely a plate than the other."""
    if (one.text is None) != (other.text is None):
        return one.text is not None
    return one.score_sum / max(one.seen, 1) > other.score_sum / max(other.seen, 1)


def is_near(earlier: Stay, later: Stay) -> bool:
    """Whether the later plate is about where the earlier one was last seen."""
    distance = float(np.linalg.norm(earlier.centre - later.centre))
    return distance <= NEAR_WIDTHS * max(earlier.width, later.width)


def looks_like(known: str | None, unsure: str | None) -> bool:
    """Whether an unsure text may be a bad reading of a known one; nothing read may be anything."""
    return known is None or unsure is None or edit_distance(known, unsure) <= FEW_CHARACTERS


def likeness(a: Sequence[Position], b: Sequence[Position]) -> float:
    """Chance that two readings, each right as often as it says, are of one text."""
    if len(a) != len(b):
        return 0.0
    return math.prod(
        sum(p * other.get(c, 0.0) for c, p in position)
        for position, other in zip(a, (dict(x) for x in b), strict=True)
    )
