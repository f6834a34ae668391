"""Two cars under one plate (套牌): what one car cannot do, so that it was another.

A hit moves nothing by itself, tells owner and operators, and stops the plate until a person releases it.
Distances are compared, never divided: whole micrometres and millionths.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from wallet.facts import Reason
from wallet.limit_facts import Place
from wallet.money import MILLION, share_down
from wallet.store import stops as rows

if TYPE_CHECKING:
    from wallet.objections import Case
    from wallet.rules import Rules

# A millionth of a degree of latitude on a sphere of 6,371,009 m, in micrometres.
_MICRODEGREE_UM = 111_195
_WHOLE_TURN_UDEG = 360 * MILLION
# Cosine of each whole degree of latitude in ppm, rounded down.
_COS_PPM = (
    1000000, 999847, 999390, 998629, 997564, 996194, 994521, 992546, 990268, 987688, 984807, 981627, 978147,
    974370, 970295, 965925, 961261, 956304, 951056, 945518, 939692, 933580, 927183, 920504, 913545, 906307,
    898794, 891006, 882947, 874619, 866025, 857167, 848048, 838670, 829037, 819152, 809016, 798635, 788010,
    777145, 766044, 754709, 743144, 731353, 719339, 707106, 694658, 681998, 669130, 656059, 642787, 629320,
    615661, 601815, 587785, 573576, 559192, 544639, 529919, 515038, 499999, 484809, 469471, 453990, 438371,
    422618, 406736, 390731, 374606, 358367, 342020, 325568, 309016, 292371, 275637, 258819, 241921, 224951,
    207911, 190808, 173648, 156434, 139173, 121869, 104528, 87155, 69756, 52335, 34899, 17452, 0,
)  # fmt: skip


def objections(case: Case) -> Sequence[Reason]:
    """Why a car surely read here cannot be the one surely read elsewhere."""
    sighting, rules = case.sighting, case.rules
    if not case.on_record.elsewhere or not reads_surely(case):
        return ()
    since = seen_since(case.now, rules)
    plate = case.likely.vehicle.plate
    elsewhere = rows.seen_elsewhere(case.connection, plate, sighting.station, since, rules.auto_ceiling_ppm)
    if not elsewhere:
        return ()
    here = rows.place_of(case.connection, sighting.station)
    if here is None:
        return ()
    for seen in elsewhere:
        apart_s = seconds_between(
            (sighting.first_seen_at, sighting.last_seen_at), (seen.first_seen_at, seen.last_seen_at)
        )
        if is_too_far(here, seen.place, apart_s, rules):
            return (
                Reason(
                    "impossible_travel",
                    f"{plate} was seen at {seen.station} {apart_s} s from here: no car is that fast.",
                ),
            )
    return ()


def seen_since(now: datetime, rules: Rules) -> datetime:
    """From when on other stations are looked at."""
    return now - timedelta(seconds=rules.travel_window_s)


def reads_surely(case: Case) -> bool:
    """Whether this very plate was read, and surely."""
    sighting = case.sighting
    return sighting.text == case.likely.vehicle.plate and sighting.wrong_ppm <= case.rules.auto_ceiling_ppm


def seconds_between(one: tuple[datetime, datetime], other: tuple[datetime, datetime]) -> int:
    """Whole seconds, rounded up, from the end of the earlier stay to the later one; 0 where they meet."""
    gap = max(one[0] - other[1], other[0] - one[1], timedelta())
    return gap.days * 86_400 + gap.seconds + (gap.microseconds > 0)


def is_too_far(here: Place, there: Place, apart_s: int, rules: Rules) -> bool:
    """Whether no car gets from one place to the other in that time.

    The distance is never made longer than it is: degrees of longitude count as they are at the higher of the
    two latitudes, rounded up to a whole degree.
    """
    north_um = abs(here.latitude_udeg - there.latitude_udeg) * _MICRODEGREE_UM
    turned = abs(here.longitude_udeg - there.longitude_udeg)
    east_um = min(turned, _WHOLE_TURN_UDEG - turned) * _MICRODEGREE_UM
    highest_udeg = max(abs(here.latitude_udeg), abs(there.latitude_udeg))
    cos_ppm = _COS_PPM[min(90, share_down(highest_udeg, 1, MILLION) + 1)]
    # Both sides in millionths of a micrometre: no share is rounded.
    reach_um = (apart_s + rules.clock_slack_s) * rules.fastest_m_s * MILLION
    return (north_um * MILLION) ** 2 + (east_um * cos_ppm) ** 2 > (reach_um * MILLION) ** 2
