"""The dialog with everything that is known of one sighting."""

from __future__ import annotations

from nicegui import ui

from api.page.draw import decision_chip, picture, plate_chip
from api.page.queries import Details

UNSURE_BELOW_PPM = 990_000


def show_details(details: Details) -> None:
    """Open the dialog; it goes when it is closed."""
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
    dialog.open()


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
