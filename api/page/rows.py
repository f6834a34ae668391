"""The page's questions to the wallet, and the answers as texts for a screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from wallet.facts import MatchRow, Reason, SightingFact
from wallet.money import format_yuan

OUTCOMES = {"auto": "自动 Auto", "review": "人工复核 Review", "none": "无 None"}
VISIT_STATES = {
    "open": "在场 On site",
    "captured": "已扣款 Paid",
    "voided": "已释放 Released",
}
VISIT_ENDS = {
    "captured": "已加油扣款 captured",
    "zero_sale": "未加油 nothing sold",
    "left_without_sale": "未加油离场 left without a sale",
    "stayed_too_long": "停留超时 stayed too long",
}
COLOURS = {"blue": "蓝牌", "green": "绿牌", "yellow": "黄牌", "white": "白牌", "black": "黑牌"}
UNREADABLE = "无法识别"
SAME_STAY = "同一停留 Same stay"
REASONS = {
    "sure": "把握充分",
    "not_readable": "未读出车牌",
    "not_registered": "未登记车辆",
    "fuzzy_match": "与登记车牌相近但不同",
    "colour_differs": "车牌颜色不符",
    "look_alike": "存在相似车牌",
    "unsure_reading": "识别把握不足",
    "insufficient_balance": "余额不足",
    "corrected_before": "该读数曾被更正",
    "twin_needs_proof": "有登记的相似车牌",
    "read_otherwise": "入口识别结果不同",
    "wrong_debit": "扣款有误",
    "plate_too_new": "新绑定车牌",
    "frozen": "车牌已冻结",
    "clone_marked": "疑似套牌，已停用",
    "impossible_travel": "两地同牌",
    "station_not_allowed": "油站不在限额内",
    "outside_hours": "时段不在限额内",
    "grade_not_allowed": "油品不在限额内",
    "not_me": "车主否认",
    "sale_without_visit": "无车加油",
    "another_car_at_pump": "中途换车",
    "cars_at_one_pump": "两车同枪",
    "amount_above_hold": "超出余额",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """What the operator wants to see; None: everything."""

    plate: str | None = None
    station: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the log, ready to be drawn. Equal rows need not be drawn again."""

    sighting_id: str
    day: str
    time: str
    place: str
    crop: str | None
    frame: str | None
    plate: str
    colour: str
    is_readable: bool
    confidence: str
    wrong_ppm: int
    outcome: str
    reasons: tuple[str, ...]
    account: str
    registered: str
    visit: str
    visit_state: str
    hold: str
    captured: str


LEAST_SHOWN_PPM = 100


def percent(ppm: int) -> str:
    """Parts per million as percent with two decimals: 998800 is "99.88 %"."""
    whole, rest = divmod(ppm, 10_000)
    return f"{whole}.{rest // 100:02d} %"


def yuan(amount_fen: int) -> str:
    """Money for a screen: 24531 is "¥245.31"."""
    return f"¥{format_yuan(amount_fen)}"


def confidence(sighting: SightingFact) -> str:
    """How sure the reading is; a dash where nothing was read."""
    return percent(1_000_000 - sighting.wrong_ppm) if sighting.text else "—"


def sentence(reason: Reason) -> str:
    """A reason as the wallet words it, with a capital and a full stop, after its name in Chinese."""
    text = reason.text.strip() or reason.code.replace("_", " ")
    text = text[0].upper() + text[1:]
    text = text if text.endswith((".", "!", "?")) else f"{text}."
    name = REASONS.get(reason.code)
    return f"{name} · {text}" if name else text


def place(sighting: SightingFact) -> str:
    """Station, camera and pump in one line."""
    parts = [sighting.station, sighting.camera]
    if sighting.pump:
        parts.append(f"{sighting.pump} 号枪")
    return " · ".join(parts)


def to_row(row: MatchRow, account_name: str | None, zone: tzinfo) -> Row:
    """A row of the wallet's log as texts."""
    sighting, match = row.sighting, row.match
    seen = sighting.first_seen_at.astimezone(zone)
    return Row(
        sighting_id=sighting.sighting_id,
        day=f"{seen:%m-%d}",
        time=f"{seen:%H:%M:%S}",
        place=place(sighting),
        crop=sighting.evidence_crop,
        frame=sighting.evidence_frame,
        plate=spaced(sighting.text) if sighting.text else UNREADABLE,
        colour=sighting.colour,
        is_readable=sighting.text is not None,
        confidence=confidence(sighting),
        wrong_ppm=sighting.wrong_ppm,
        outcome=match.outcome,
        reasons=tuple(sentence(reason) for reason in match.reasons),
        account=account_name or "—",
        registered=match.plate if match.plate and match.plate != sighting.text else "",
        visit=SAME_STAY if match.joined else VISIT_STATES.get(row.visit_state or "", ""),
        visit_state="" if match.joined else row.visit_state or "",
        # A stay's money is shown once, at the sighting that opened it.
        hold=yuan(row.hold_fen) if row.hold_fen and not match.joined else "—",
        captured=yuan(row.captured_fen) if row.captured_fen and not match.joined else "—",
    )


def spaced(text: str) -> str:
    """A plate as it is printed on the metal: 粤B·12345."""
    return f"{text[:2]}·{text[2:]}" if len(text) > 2 else text


def characters(positions: Sequence[Sequence[tuple[str, int]]]) -> list[list[tuple[str, str, int]]]:
    """For each position its likely characters: character, chance as text, chance in ppm.

    What would show as 0.00 % is left out, but for the first.
    """
    return [
        [
            (character, percent(ppm), ppm)
            for place, (character, ppm) in enumerate(position)
            if place == 0 or ppm >= LEAST_SHOWN_PPM
        ]
        for position in positions
    ]
