"""What stands above the log: the bar, the cameras, today's counts, the names of the columns."""

from __future__ import annotations

from datetime import datetime

from nicegui import ui
from nicegui.element import Element

from api.page.queries import Camera, Today

PAGES = {"log": ("/operator/", "记录 Log"), "review": ("/operator/review", "复核 Review")}


def show_top(operator_name: str, page: str = "log") -> ui.label:
    """The bar with the pages there are; returns the label that tells how fresh this one is."""
    with ui.element("header").classes("pp-top"):
        with ui.element("div").classes("pp-brand"):
            ui.label("车牌付")
            ui.label("Platepay").classes("pp-brand-en")
        with ui.element("nav").classes("pp-nav").props('aria-label="Pages"'):
            for name, (address, words) in PAGES.items():
                link = ui.element("a").props(f'href="{address}"')
                if name == page:
                    link.props('aria-current="page"')
                with link:
                    ui.label(words)
        ui.element("div").classes("pp-grow")
        with ui.element("div").classes("pp-live").props('role="status"'):
            ui.element("span").classes("pp-dot")
            live = ui.label("实时 Live")
        ui.label(operator_name).classes("pp-who")
        form = ui.element("form").props('method="post" action="/operator/logout"')
        with form, ui.element("button").classes("pp-out").props('type="submit"'):
            ui.label("退出 Log out")
    return live


def tell_live(live: ui.label, now: datetime) -> None:
    """Say that the page was fresh at this moment."""
    live.set_text(f"实时 Live · {now:%H:%M:%S}")


def show_columns() -> None:
    """The names of the columns, on wide screens."""
    with ui.element("div").classes("pp-head").props('aria-hidden="true"'):
        for name in (
            "时间地点 Seen",
            "证据 Evidence",
            "车牌 Plate",
            "决定与原因 Decision",
            "账户 · 状态 Account",
        ):
            ui.label(name)
        ui.label("预授权 Hold").classes("pp-money")
        ui.label("扣款 Paid").classes("pp-money")


def show_cameras(strip: Element, cameras: list[Camera]) -> None:
    """One chip a camera; drawn again only where something has changed."""
    if getattr(strip, "platepay_shown", None) == cameras:
        return
    strip.platepay_shown = cameras  # type: ignore[attr-defined]
    strip.clear()
    with strip:
        if not cameras:
            ui.label("还没有摄像头上线 No camera has reported yet").classes("pp-camera pp-soft")
        for camera in cameras:
            with ui.element("div").classes(f"pp-camera is-{camera.kind}").props('data-testid="camera"'):
                ui.element("span").classes("pp-dot")
                ui.label(camera.name).classes("pp-camera-name")
                ui.label(camera.words)
                if camera.more:
                    ui.label(camera.more).classes("pp-camera-more")


class Counts:
    """Today's numbers."""

    def __init__(self) -> None:
        with ui.element("section").classes("pp-counts").props('aria-label="Today"'):
            self._sightings = self._count("今日车次 Cars today")
            self._auto = self._count("自动 Auto")
            self._review = self._count("人工复核 Review")
            self._none = self._count("无账户 None")
            self._captured = self._count("今日扣款 Captured")

    @staticmethod
    def _count(label: str) -> ui.label:
        with ui.element("div").classes("pp-count"):
            number = ui.label("–").classes("pp-count-number")
            ui.label(label).classes("pp-count-label")
        return number

    def tell(self, today: Today) -> None:
        """Show these numbers; the browser is only told of those that changed."""
        more = "" if today.is_complete else "+"
        self._sightings.set_text(f"{today.sightings}{more}")
        self._auto.set_text(f"{today.auto}{more}")
        self._review.set_text(f"{today.review}{more}")
        self._none.set_text(f"{today.none}{more}")
        self._captured.set_text(f"{today.captured}{more}")
