"""The review page: the queue by due time, the open item beside it, answers by button and by key."""

from __future__ import annotations

import secrets
import time
from datetime import datetime
from pathlib import Path

from nicegui import run, ui
from nicegui.events import KeyEventArguments

from api.errors import NotSignedIn
from api.page import header, login
from api.page.draw import picture, plate_chip
from api.page.match_log import STYLE
from api.page.review_rows import KEYS, Line, Sheet, outcome, score_words, time_left, to_line, to_sheet
from api.page.review_sheet import DrawnSheet
from api.review_answers import score_view
from api.rights import may
from api.settings import find_zone
from api.wiring import Services
from wallet.access import Session
from wallet.command_facts import Rejected, Reviewed
from wallet.errors import ReviewUnknown, WalletError
from wallet.review_facts import Given

REVIEW_STYLE = Path(__file__).with_name("review.css").read_text(encoding="utf-8")
POLL_S = 2.0
SESSION_EVERY = 8
SCORES_EVERY = 5
MOST_LINES = 50
# The second click of a double click must not answer the item that has come in its place.
SETTLES_S = 0.4


class ReviewPage:
    """One browser tab's queue. Lives on the server as long as the tab."""

    def __init__(self, services: Services, token: str, operator: Session) -> None:
        self._services = services
        self._token = token
        self._operator = operator
        self._zone = find_zone(services.settings.time_zone)
        self._may_answer = may(operator, "review")
        self._lines: list[Line] = []
        self._drawn_lines: tuple[object, ...] | None = None
        self._due: dict[str, ui.label] = {}
        self._open_id: str | None = None
        self._key = ""
        self._sheet: DrawnSheet | None = None
        self._is_answering = False
        self._came_at = 0.0
        self._ticks = 0

    async def show(self) -> None:
        """Draw the page and begin to poll."""
        ui.add_head_html(f"<style>{STYLE}{REVIEW_STYLE}</style>")
        self._live = header.show_top(self._operator.operator_name, "review")
        with ui.element("main").classes("pp-main rv-main"):
            self._counts = ui.label("").classes("rv-counts").props('role="status" data-testid="counts"')
            with ui.element("div").classes("rv-split"):
                with ui.element("section").classes("rv-queue").props('aria-label="Queue"'):
                    self._list = ui.element("div").props('role="listbox" data-testid="queue"')
                    self._nothing = ui.label("没有待处理 Nothing waits.").classes("pp-nothing")
                self._place = ui.element("section").classes("rv-item").props('aria-label="Item"')
            self._scores = ui.element("section").classes("rv-scores").props('data-testid="scores"')
        ui.keyboard(on_key=self._on_key, ignore=["input", "textarea", "select"])
        await self._poll()
        ui.timer(POLL_S, self._poll, immediate=False)

    # The queue ----------------------------------------------------------------------------------------------

    async def _poll(self) -> None:
        if self._ticks % SESSION_EVERY == SESSION_EVERY - 1 and not await self._is_signed_in():
            ui.navigate.to(login.LOGIN)
            return
        lines = await run.io_bound(self._find_lines)
        if lines is not None and not self._is_answering:
            self._lines = lines
            await self._draw()
        if self._ticks % SCORES_EVERY == 0:
            await self._draw_scores()
        self._ticks += 1
        header.tell_live(self._live, self._now().astimezone(self._zone))

    def _now(self) -> datetime:
        return self._services.clock()

    def _find_lines(self) -> list[Line]:
        rows = self._services.wallet.reviewing.queue(
            self._operator.operator_name, self._now(), limit=MOST_LINES
        )
        return [to_line(row) for row in rows]

    async def _draw(self) -> None:
        now = self._now()
        shown = (tuple(self._lines), self._open_id)
        if shown != self._drawn_lines:
            self._drawn_lines = shown
            self._draw_list()
        for line in self._lines:
            self._due[line.review_id].set_text(time_left(line.due_at, now))
            late = line.due_at < now
            self._due[line.review_id].classes(add="is-late" if late else "", remove="" if late else "is-late")
        overdue = sum(line.due_at < now for line in self._lines)
        more = "+" if len(self._lines) == MOST_LINES else ""
        self._counts.set_text(f"待处理 Waiting {len(self._lines)}{more} · 逾期 Overdue {overdue}{more}")
        self._nothing.set_visibility(not self._lines)
        if self._open_id is None and self._lines:
            await self._open(self._lines[0].review_id)

    def _draw_list(self) -> None:
        self._list.clear()
        self._due = {}
        with self._list:
            for line in self._lines:
                self._draw_line(line)

    def _draw_line(self, line: Line) -> None:
        row = ui.element("button").classes("rv-line").props('type="button" role="option" data-testid="line"')
        row.props["data-review"] = line.review_id
        row.props["aria-selected"] = "true" if line.review_id == self._open_id else "false"
        row.on("click", lambda _event, review_id=line.review_id: self._open(review_id))
        with row:
            with ui.element("div").classes("rv-thumb"):
                if line.crop:
                    picture(line.crop, f"车牌 {line.plate}")
            with ui.element("div").classes("rv-read"):
                plate_chip(line.plate, line.colour, line.is_readable)
                ui.label(f"{line.kind} · {line.place}").classes("pp-soft")
                ui.label(f"建议 {line.suggestion} · 次选 {line.runner_up} · 领先 {line.margin}").classes(
                    "pp-soft rv-guess"
                )
            with ui.element("div").classes("rv-when"):
                self._due[line.review_id] = ui.label("").classes("rv-due").props('data-testid="due"')
                ui.label(line.amount).classes("rv-money")
                if line.answers_in:
                    ui.label("已有答复 answered once").classes("pp-soft")

    async def _is_signed_in(self) -> bool:
        try:
            await run.io_bound(self._services.operators.of_token, self._token)
        except NotSignedIn:
            return False
        return True

    # One item -----------------------------------------------------------------------------------------------

    async def _open(self, review_id: str) -> None:
        if review_id == self._open_id and self._sheet is not None:
            return
        sheet = await run.io_bound(self._find_sheet, review_id)
        self._open_id = review_id
        # One name for whatever is clicked about this opening of the item: twice the same is once.
        self._key = f"page-{secrets.token_hex(12)}"
        self._place.clear()
        self._sheet = None
        with self._place:
            if sheet is None:
                ui.label("已不在队列 It is not there any more").classes("pp-nothing")
            else:
                self._sheet = DrawnSheet(sheet, self._answer)
        for row in self._list:
            row.props["aria-selected"] = "true" if row.props.get("data-review") == review_id else "false"
            row.update()
        self._drawn_lines = (tuple(self._lines), review_id)

    def _find_sheet(self, review_id: str) -> Sheet | None:
        """The item; that this person looked at its pictures is written down first."""
        now = self._now()
        try:
            item = self._services.wallet.reviewing.item(review_id, self._operator.operator_name, now)
        except ReviewUnknown:
            return None
        seen = item.sighting
        for sha256 in (seen.evidence_frame, seen.evidence_crop, *item.gallery) if seen else item.gallery:
            if sha256:
                self._services.access.record_look(
                    sha256, self._operator.operator_id, f"review {review_id}", now
                )
        return to_sheet(item, self._zone)

    async def _answer(self, given: Given) -> None:
        """Sends the answer once, tells what came of it, and opens the next item."""
        is_new = time.monotonic() - self._came_at < SETTLES_S
        if self._open_id is None or self._is_answering or is_new:
            return
        if not self._may_answer:
            ui.notify("您没有复核权限 Your role may not answer", type="warning")
            return
        self._is_answering = True
        review_id, lines = self._open_id, self._lines
        try:
            done = await run.io_bound(self._send, review_id, given, self._key)
        finally:
            self._is_answering = False
        if done is None:
            return
        if isinstance(done, str):
            ui.notify(done, type="negative")
            return
        text, was_taken = outcome(done)
        ui.notify(text, type="positive" if was_taken else "warning", position="top")
        code = done.code if isinstance(done, Rejected) else ""
        if was_taken or code in ("already_decided", "already_answered", "already_reversed"):
            await self._go_on(review_id, lines)
        else:
            # The refusal is kept under its name: the next click asks anew.
            self._key = f"page-{secrets.token_hex(12)}"

    def _send(self, review_id: str, given: Given, key: str) -> Reviewed | Rejected | str:
        try:
            return self._services.wallet.reviewing.answer(
                review_id, given, key=key, actor=self._operator.operator_name, now=self._now()
            )
        except WalletError as error:
            return str(error)

    async def _go_on(self, review_id: str, lines: list[Line]) -> None:
        ids = [line.review_id for line in lines]
        at = ids.index(review_id) if review_id in ids else 0
        left = [one for one in ids if one != review_id]
        self._open_id = None
        if left:
            await self._open(left[min(at, len(left) - 1)])
            self._came_at = time.monotonic()
        else:
            self._place.clear()
            self._sheet = None
        self._ticks = 0
        await self._poll()

    async def _on_key(self, event: KeyEventArguments) -> None:
        if not event.action.keydown or event.action.repeat:
            return
        name = event.key.name
        if event.modifiers.ctrl or event.modifiers.meta or event.modifiers.alt:
            return
        if name in KEYS and self._sheet is not None:
            await self._sheet.press(KEYS[name])
        elif name in ("ArrowDown", "ArrowRight", "ArrowUp", "ArrowLeft") and self._lines:
            ids = [line.review_id for line in self._lines]
            at = ids.index(self._open_id) if self._open_id in ids else 0
            step = 1 if name in ("ArrowDown", "ArrowRight") else -1
            await self._open(ids[max(0, min(len(ids) - 1, at + step))])

    # Scores -------------------------------------------------------------------------------------------------

    async def _draw_scores(self) -> None:
        scores = await run.io_bound(self._services.wallet.reviewing.scores)
        if scores is None:
            return
        if not may(self._operator, "plant"):
            scores = [score for score in scores if score.reviewer == self._operator.operator_name]
        rows = []
        for score in scores:
            view = score_view(score)
            rows.append(score_words(score, view.low_ppm, view.high_ppm))
        if getattr(self._scores, "platepay_shown", None) == rows:
            return
        self._scores.platepay_shown = rows  # type: ignore[attr-defined]
        self._scores.clear()
        if not rows:
            return
        with self._scores:
            ui.label("复核成绩 Scores on known cases").classes("pp-section")
            with ui.element("div").classes("rv-table"):
                for name in ("复核人 Who", "对 Right", "错 Wrong", "正确率 Share, 95 %", "已答 Answered"):
                    ui.label(name).classes("pp-key")
                for cell in (cell for row in rows for cell in row):
                    ui.label(cell)
