"""Every question the page asks: the log, today's counts, the cameras, one sighting in full."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from api.page.rows import (
    VISIT_ENDS,
    Filter,
    Row,
    characters,
    confidence,
    to_row,
    yuan,
)
from api.wiring import Services
from wallet.access import CameraStatus, Session
from wallet.errors import AccountUnknown
from wallet.facts import MatchRow

WHOLE_PLATE = (7, 8)
SCANNED = 1000
COUNTED = 5000
PAGE = 500
QUIET_AFTER_S = 45


@dataclass(frozen=True, slots=True)
class Today:
    """What has happened since midnight."""

    sightings: int
    auto: int
    review: int
    none: int
    captured: str
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Camera:
    """How a camera is, in words. kind: ok, wait or bad."""

    name: str
    kind: str
    words: str
    more: str


@dataclass(frozen=True, slots=True)
class Details:
    """One sighting in full, for the dialog. facts: pairs of label and value.

    paid_visit_id: the visit that money was taken for, so that it can be given back.
    """

    row: Row
    positions: list[list[tuple[str, str, int]]]
    facts: tuple[tuple[str, str], ...]
    paid_visit_id: str | None


class LogQueries:
    """One tab's questions. Called from worker threads, one at a time."""

    def __init__(self, services: Services, zone: tzinfo) -> None:
        self._services = services
        self._zone = zone
        self._names: dict[str, str] = {}
        self._found: dict[str, MatchRow] = {}

    def rows(self, wanted: Filter, limit: int) -> list[Row]:
        """The newest rows that fit. A part of a plate is sought in the newest SCANNED of the others."""
        found = self._matches(wanted, limit)
        self._found = {row.sighting.sighting_id: row for row in found}
        return [to_row(row, self._name(row.match.account_id), self._zone) for row in found]

    def today(self) -> Today:
        """Counts since midnight, of the newest COUNTED sightings."""
        now = self._services.clock().astimezone(self._zone)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        rows: list[MatchRow] = []
        while len(rows) < COUNTED:
            before = rows[-1].sighting.sighting_id if rows else None
            page = self._services.wallet.matches(since=midnight, limit=PAGE, before=before)
            rows.extend(page)
            if len(page) < PAGE:
                break
        outcomes = [row.match.outcome for row in rows]
        captured = {row.match.visit_id: row.captured_fen for row in rows if row.match.visit_id}
        return Today(
            sightings=len(rows),
            auto=outcomes.count("auto"),
            review=outcomes.count("review"),
            none=outcomes.count("none"),
            captured=yuan(sum(captured.values())),
            is_complete=len(rows) < COUNTED,
        )

    def cameras(self) -> list[Camera]:
        """Every camera that has ever told how it is."""
        now = self._services.clock()
        return [_camera(status, now) for status in self._services.access.cameras()]

    def stations(self) -> list[str]:
        """The stations there are cameras or rows of."""
        of_cameras = {status.station for status in self._services.access.cameras()}
        return sorted(of_cameras | {row.sighting.station for row in self._found.values()})

    def details(self, sighting_id: str, operator: Session) -> Details | None:
        """One of the rows last found, in full; that this operator looked at its pictures is kept."""
        found = self._found.get(sighting_id)
        if found is None:
            return None
        sighting, match = found.sighting, found.match
        now = self._services.clock()
        read = [("picture", sha256) for sha256 in (sighting.evidence_frame, sighting.evidence_crop) if sha256]
        for kind, subject in (("sighting", sighting_id), *read):
            self._services.access.record_read(
                kind, subject, "details", operator.operator_name, now, operator.operator_id
            )
        row = to_row(found, self._name(match.account_id), self._zone)
        facts = [
            ("首次看到 First seen", self._moment(sighting.first_seen_at)),
            ("最后看到 Last seen", self._moment(sighting.last_seen_at)),
            ("有效读数 Looks", str(sighting.looks)),
            ("可信度 Confidence", confidence(sighting)),
            ("账户 Account", row.account),
            ("匹配车牌 Matched plate", match.plate or "—"),
            ("状态 Visit", row.visit or "—"),
            ("结束原因 Ended by", VISIT_ENDS.get(found.visit_end or "", "—")),
            ("预授权 Hold", row.hold),
            ("扣款 Captured", row.captured),
            ("加油单 Sale", found.sale_id or "—"),
            ("访问编号 Visit id", match.visit_id or "—"),
            ("识别编号 Sighting", sighting.sighting_id),
            (
                "模型 Models",
                f"{(sighting.detector_model or '—')[:12]} · {(sighting.reader_model or '—')[:12]}",
            ),
        ]
        paid = match.visit_id if found.visit_state == "captured" else None
        return Details(row, characters(sighting.positions), tuple(facts), paid)

    def _matches(self, wanted: Filter, limit: int) -> list[MatchRow]:
        part = wanted.plate.upper().replace("·", "").replace(" ", "") if wanted.plate else None
        is_part = part is not None and len(part) not in WHOLE_PLATE
        found = self._services.wallet.matches(
            plate=None if is_part else part,
            station=wanted.station,
            outcome=wanted.outcome,
            since=wanted.since,
            until=wanted.until,
            limit=SCANNED if is_part else limit,
        )
        if is_part and part is not None:
            found = [
                row for row in found if part in (row.sighting.text or "") or part in (row.match.plate or "")
            ]
        return found[:limit]

    def _name(self, account_id: str | None) -> str | None:
        if account_id is None:
            return None
        if account_id not in self._names:
            try:
                self._names[account_id] = self._services.wallet.account(account_id).name
            except AccountUnknown:
                return None
        return self._names[account_id]

    def _moment(self, time: datetime) -> str:
        return f"{time.astimezone(self._zone):%Y-%m-%d %H:%M:%S}"


WORDS = {
    "ok": ("ok", "正常 ok"),
    "starting": ("wait", "启动中 starting"),
    "reconnecting": ("wait", "重连中 reconnecting"),
    "frozen": ("bad", "画面冻结 frozen"),
    "black": ("bad", "黑屏 black"),
    "broken": ("bad", "故障 broken"),
}


def _camera(status: CameraStatus, now: datetime) -> Camera:
    kind, words = WORDS.get(status.state, ("bad", status.state))
    quiet_s = (now - status.reported_at) // timedelta(seconds=1)
    if quiet_s > QUIET_AFTER_S:
        kind, words = "bad", f"失联 silent for {_short(quiet_s)}"
    parts = []
    if status.width and status.height:
        parts.append(f"{status.width}×{status.height}")
    if status.reconnects:
        parts.append(f"重连 {status.reconnects}")
    if status.detail and kind != "ok":
        parts.append(status.detail)
    return Camera(f"{status.station} · {status.camera}", kind, words, " · ".join(parts))


def _short(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
