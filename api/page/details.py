"""The dialog with everything that is known of one sighting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from api.page.draw import decision_chip, picture, plate_chip
from api.page.queries import Details

UNSURE_BELOW_PPM = 990_000


# Gives back what a visit paid; says in words what came of it. The flag: whether the plate was misread.
Reverse = Callable[[str, bool], Awaitable[str]]


def show_details(details: Details, reverse: Reverse | None = None) -> None:
    """Open the dialog; it goes when it is closed. reverse: for operators who may."""
    row = details.row
    with ui.dialog().props('transition-duration="120"') as dialog, ui.card().classes("pp-dialog"):
        dialog.on("hide", dialog.delete)
        with ui.element("div").classes("pp-dialog-head"):
            plate_chip(row.plate, row.colour, row.is_readable)
            decision_chip(row.outcome)
            ui.label(f"{row.day} {row.time} · {row.place}").classes("pp-soft")
            ui.element("div").classes("pp-grow")
            ui.button("关闭 Close", on_click=dialog.close).props("flat no-caps dense")
        with ui.element("div").classes("pp-dialog-body").props('data-testid="details"'):
            with ui.element("div").classes("pp-pictures"):
                if row.frame:
                    picture(row.frame, "整幅画面 The whole picture").classes("pp-frame")
                if row.crop:
                    picture(row.crop, f"车牌 {row.plate}").classes("pp-crop")
            with ui.element("div").classes("pp-facts"):
                _show_reasons(details)
                _show_positions(details)
                with ui.element("div").classes("pp-table"):
                    for name, value in details.facts:
                        ui.label(name).classes("pp-key")
                        ui.label(value).classes("pp-value")
                if reverse is not None and details.paid_visit_id is not None:
                    _show_reversal(details.paid_visit_id, reverse)
    dialog.open()


def _show_reversal(visit_id: str, reverse: Reverse) -> None:
    with ui.element("div"):
        ui.label("扣款有误 The debit was wrong").classes("pp-section")
        misread = ui.checkbox("车牌读错，记住它 The plate was misread: remember it", value=True)
        button = ui.button("全额退回 Give it back").props("no-caps unelevated color=negative")
        button.props('data-testid="reverse"')
        told = ui.label("").classes("pp-soft").props('data-testid="reversed"')

        async def give_back() -> None:
            button.disable()
            told.set_text(await reverse(visit_id, bool(misread.value)))

        button.on_click(give_back)


def _show_reasons(details: Details) -> None:
    with ui.element("div"):
        ui.label("原因 Reasons").classes("pp-section")
        for text in details.row.reasons or ("—",):
            ui.label(text)


def _show_positions(details: Details) -> None:
    if not details.positions:
        return
    with ui.element("div"):
        ui.label("逐字概率 Each character").classes("pp-section")
        with ui.element("div").classes("pp-positions"):
            for position in details.positions:
                box = ui.element("div").classes("pp-position").props('data-testid="position"')
                if position and position[0][2] < UNSURE_BELOW_PPM:
                    box.classes("is-unsure")
                with box:
                    for index, (character, chance, _ppm) in enumerate(position[:3]):
                        if index == 0:
                            ui.label(character).classes("pp-char")
                            ui.label(chance).classes("pp-chance")
                        else:
                            ui.label(f"{character} {chance}").classes("pp-chance")
