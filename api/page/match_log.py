"""The match log: newest first, new rows drawn as they come, changed ones changed in place."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from nicegui import run, ui

from api.errors import NotSignedIn
from api.page import header, login
from api.page.details import show_details
from api.page.draw import DrawnRow
from api.page.queries import LogQueries
from api.page.review_rows import outcome
from api.page.rows import OUTCOMES, Filter, Row
from api.rights import may
from api.settings import find_zone
from api.wiring import Services
from wallet.access import Session
from wallet.errors import WalletError
from wallet.review_facts import Given

STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")

POLL_S = 1.0
SESSION_EVERY = 15
SLOW_EVERY = 4
FIRST_ROWS = 50
MORE_ROWS = 50
MOST_ROWS = 500

PERIODS = {
    "today": "今天 Today",
    "hour": "一小时内 Last hour",
    "all": "全部时间 All",
    "custom": "自选 From – to",
}


class MatchLog:
    """One browser tab's log. Lives on the server as long as the tab."""

    def __init__(self, services: Services, token: str, operator: Session) -> None:
        self._services = services
        self._token = token
        self._operator = operator
        self._zone = find_zone(services.settings.time_zone)
        self._queries = LogQueries(services, self._zone)
        self._drawn: dict[str, DrawnRow] = {}
        self._limit = FIRST_ROWS
        self._ticks = 0
        self._is_polling = False
        self._stations: set[str] = set()

    async def show(self) -> None:
        """Draw the page and begin to poll."""
        # In the head: NiceGUI's own way adds it by script, and the page would flash unstyled.
        ui.add_head_html(f"<style>{STYLE}</style>")
        self._live = header.show_top(self._operator.operator_name)
        with ui.element("main").classes("pp-main"):
            self._cameras = ui.element("div").classes("pp-cameras").props('aria-label="Cameras"')
            self._counts = header.Counts()
            self._show_filters()
            with ui.element("section").classes("pp-log").props('aria-label="Match log"'):
                header.show_columns()
                self._rows = ui.element("div").props('role="list" data-testid="rows"')
                self._nothing = ui.label("还没有记录 No cars here yet.").classes("pp-nothing")
            self._older = ui.button("更早的记录 Older", on_click=self._show_older)
            self._older.classes("pp-more").props("outline no-caps color=primary")
        await self._poll(is_first=True)
        ui.timer(POLL_S, self._poll, immediate=False)

    def _show_filters(self) -> None:
        changed = partial(self._filters_changed)
        with ui.element("section").classes("pp-filters").props('aria-label="Filters"'):
            small = "outlined dense clearable"
            self._plate = ui.input("车牌 Plate", on_change=changed).props(
                f"{small} debounce=300 maxlength=12"
            )
            self._station = ui.select([], label="油站 Station", on_change=changed, clearable=True)
            self._station.props("outlined dense")
            self._outcome = ui.select(OUTCOMES, label="决定 Decision", on_change=changed, clearable=True)
            self._outcome.props("outlined dense")
            self._period = ui.select(PERIODS, label="时间 Time", value="today", on_change=changed)
            self._period.props("outlined dense")
            moment = f"{small} type=datetime-local stack-label debounce=300"
            self._since = ui.input("从 From", on_change=changed).props(moment).classes("pp-time")
            self._until = ui.input("到 To", on_change=changed).props(moment).classes("pp-time")
            for field, name in (
                (self._plate, "filter-plate"),
                (self._station, "filter-station"),
                (self._outcome, "filter-decision"),
                (self._period, "filter-time"),
                (self._since, "filter-since"),
                (self._until, "filter-until"),
            ):
                field.props(f"data-testid={name}")
        for field in (self._since, self._until):
            field.set_visibility(False)

    async def _filters_changed(self, _event: object = None) -> None:
        is_custom = self._period.value == "custom"
        self._since.set_visibility(is_custom)
        self._until.set_visibility(is_custom)
        self._limit = FIRST_ROWS
        await self._poll(is_first=True)

    def _filter(self) -> Filter:
        now = self._services.clock().astimezone(self._zone)
        since: datetime | None = None
        until: datetime | None = None
        match self._period.value:
            case "today":
                since = now.replace(hour=0, minute=0, second=0, microsecond=0)
            case "hour":
                # To the minute: a limit that moves each second would redraw nothing and cost a query plan.
                since = (now - timedelta(hours=1)).replace(second=0, microsecond=0)
            case "custom":
                since, until = self._moment(self._since.value), self._moment(self._until.value)
        return Filter(
            plate=(self._plate.value or "").strip() or None,
            station=self._station.value or None,
            outcome=self._outcome.value or None,
            since=since,
            until=until,
        )

    def _moment(self, text: str | None) -> datetime | None:
        try:
            return datetime.fromisoformat(text).replace(tzinfo=self._zone) if text else None
        except ValueError:
            return None

    async def _poll(self, is_first: bool = False) -> None:
        if self._is_polling and not is_first:
            return
        self._is_polling = True
        try:
            if self._ticks % SESSION_EVERY == SESSION_EVERY - 1 and not await self._is_signed_in():
                ui.navigate.to(login.LOGIN)
                return
            rows = await run.io_bound(self._queries.rows, self._filter(), self._limit)
            self._draw(rows or [], is_first)
            if self._ticks % SLOW_EVERY == 0 or is_first:
                await self._poll_slowly()
            header.tell_live(self._live, self._services.clock().astimezone(self._zone))
            self._ticks += 1
        finally:
            self._is_polling = False

    async def _poll_slowly(self) -> None:
        today = await run.io_bound(self._queries.today)
        if today is not None:
            self._counts.tell(today)
        cameras = await run.io_bound(self._queries.cameras)
        if cameras is not None:
            header.show_cameras(self._cameras, cameras)
        stations = await run.io_bound(self._queries.stations)
        if stations and set(stations) != self._stations:
            self._stations = set(stations)
            self._station.set_options(sorted(stations))

    async def _is_signed_in(self) -> bool:
        try:
            await run.io_bound(self._services.operators.of_token, self._token)
        except NotSignedIn:
            return False
        return True

    def _draw(self, rows: list[Row], is_first: bool) -> None:
        """Draw what is new, change what has changed, take away what no longer belongs here."""
        wanted = {row.sighting_id for row in rows}
        for gone in [known for known in self._drawn if known not in wanted]:
            self._drawn.pop(gone).delete()
        for index, row in enumerate(rows):
            drawn = self._drawn.get(row.sighting_id)
            if drawn is None:
                with self._rows:
                    drawn = DrawnRow(row, self._open_details, is_new=not is_first)
                drawn.element.move(target_index=index)
                self._drawn[row.sighting_id] = drawn
            else:
                drawn.tell(row)
        self._nothing.set_visibility(not rows)
        self._older.set_visibility(len(rows) >= self._limit and self._limit < MOST_ROWS)

    async def _show_older(self) -> None:
        self._limit = min(MOST_ROWS, self._limit + MORE_ROWS)
        await self._poll(is_first=True)

    async def _open_details(self, sighting_id: str) -> None:
        details = await run.io_bound(self._queries.details, sighting_id, self._operator)
        if details is None:
            return
        key = f"log-{secrets.token_hex(12)}"

        async def reverse(visit_id: str, is_misread: bool) -> str:
            return await run.io_bound(self._send_reversal, visit_id, is_misread, key) or ""

        show_details(details, reverse if may(self._operator, "review") else None)

    def _send_reversal(self, visit_id: str, is_misread: bool, key: str) -> str:
        given = Given("reverse", None, is_misread, "reversed from the match log")
        try:
            done = self._services.wallet.reviewing.reverse_visit(
                visit_id, given, key=key, actor=self._operator.operator_name, now=self._services.clock()
            )
        except WalletError as error:
            return str(error)
        return outcome(done)[0]
