"""One row of the log on the screen; every text is set as text, never as markup."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui
from nicegui.element import Element

from api.page.rows import OUTCOMES, Row


def plate_chip(text: str, colour: str, is_readable: bool) -> ui.label:
    """A plate that looks like one."""
    return ui.label(text).classes(f"pp-plate is-{colour if is_readable else 'unread'}")


def decision_chip(outcome: str) -> ui.label:
    """自动, 人工复核 or 无."""
    return ui.label(OUTCOMES[outcome]).classes(f"pp-chip is-{outcome}").props('data-testid="decision"')


def picture(sha256: str, what: str) -> Element:
    """An evidence picture from this service; the browser sends the session's cookie along."""
    image = ui.element("img")
    image.props["src"] = f"/v1/evidence/{sha256}"
    image.props["alt"] = what
    image.props["loading"] = "lazy"
    return image


class DrawnRow:
    """The elements of one row; `tell` changes only what differs."""

    def __init__(self, row: Row, open_details: Callable[[str], Awaitable[None]], is_new: bool) -> None:
        self._row = row
        self.element = ui.element("div").classes("pp-row").props('role="listitem" data-testid="row"')
        if is_new:
            self.element.classes("is-new")
        self.element.props["data-sighting"] = row.sighting_id
        with self.element:
            with ui.element("div").classes("c-time"):
                ui.label(row.time).classes("pp-time-of-day")
                ui.label(f"{row.day} · {row.place}").classes("pp-soft")
            self._draw_thumb(row, open_details)
            with ui.element("div").classes("c-plate"):
                plate_chip(row.plate, row.colour, row.is_readable)
                ui.label(f"可信度 {row.confidence}").classes("pp-reason").props('data-testid="confidence"')
                if row.registered:
                    ui.label(f"登记车牌 {row.registered}").classes("pp-soft")
            with ui.element("div").classes("c-decision"):
                self._chip_and_reasons(row)
            with ui.element("div").classes("c-account"):
                ui.label(row.account).classes("pp-account")
                self._visit = ui.label(row.visit).classes(f"pp-soft pp-visit is-{row.visit_state}")
            self._hold = self._money("c-hold", "预授权", row.hold)
            self._captured = self._money("c-captured is-paid", "扣款", row.captured)

    def _draw_thumb(self, row: Row, open_details: Callable[[str], Awaitable[None]]) -> None:
        opener = ui.element("button").classes("pp-thumb c-thumb").props('type="button" data-testid="thumb"')
        opener.props["aria-label"] = f"证据 Evidence {row.plate}"
        opener.on("click", partial(open_details, row.sighting_id), args=[])
        with opener:
            if row.crop:
                picture(row.crop, f"车牌 {row.plate}")
            else:
                opener.classes("is-empty")
                ui.label("无图 No picture")

    @staticmethod
    def _chip_and_reasons(row: Row) -> None:
        decision_chip(row.outcome)
        for text in row.reasons:
            ui.label(text).classes("pp-reason")

    @staticmethod
    def _money(classes: str, label: str, amount: str) -> ui.label:
        with ui.element("div").classes(f"pp-money {classes}"):
            ui.label(label).classes("pp-money-label")
            return ui.label(amount).classes("pp-amount")

    def tell(self, row: Row) -> None:
        """Take over what has changed since the row was drawn: the visit and the money."""
        if row == self._row:
            return
        if row.visit != self._row.visit:
            self._visit.set_text(row.visit)
            self._visit.classes(remove=f"is-{self._row.visit_state}", add=f"is-{row.visit_state}")
        if row.hold != self._row.hold:
            self._hold.set_text(row.hold)
        if row.captured != self._row.captured:
            self._captured.set_text(row.captured)
        self._row = row

    def delete(self) -> None:
        """Take the row off the screen."""
        self.element.delete()
