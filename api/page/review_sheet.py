"""One review item on the screen: pictures side by side, characters, the sum, reasons, and what to answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from api.page.details import UNSURE_BELOW_PPM
from api.page.draw import picture, plate_chip
from api.page.review_rows import ACTIONS, Sheet
from wallet.review_facts import Action, Given

Answer = Callable[[Given], Awaitable[None]]
SHORT = {"confirm": "1", "correct": "2", "reject": "3", "reverse": "R"}


class DrawnSheet:
    """The item that is open. `press` is what a key does."""

    def __init__(self, sheet: Sheet, answer: Answer) -> None:
        self._sheet = sheet
        self._answer = answer
        self._panels: dict[str, ui.element] = {}
        with ui.element("div").classes("rv-sheet").props('data-testid="sheet"'):
            self._show_head()
            self._show_crops()
            self._show_buttons()
            self._show_frame()
            self._show_characters()
            self._show_texts()

    # What may be answered -----------------------------------------------------------------------------------

    def _show_buttons(self) -> None:
        sheet = self._sheet
        with ui.element("div").classes("rv-buttons").props('role="group" aria-label="Answers"'):
            for action in sheet.allowed:
                button = ui.button(on_click=partial(self.press, action), color=None).classes(
                    f"rv-button is-{action}"
                )
                button.props(f'no-caps unelevated data-testid="do-{action}"')
                with button:
                    ui.label(ACTIONS[action])
                    ui.label(SHORT[action]).classes("rv-key")
        if not sheet.allowed:
            ui.label(sheet.end or "已答复 Answered").classes("rv-end").props('data-testid="end"')
        if "correct" in sheet.allowed:
            self._panels["correct"] = self._correct_panel()
        if "reverse" in sheet.allowed:
            self._panels["reverse"] = self._reverse_panel()
        for panel in self._panels.values():
            panel.set_visibility(False)

    async def press(self, action: Action) -> None:
        """Answer at once, or open the panel that asks for the plate."""
        if action not in self._sheet.allowed:
            return
        for name, panel in self._panels.items():
            panel.set_visibility(name == action and not panel.visible)
        if action in self._panels:
            if self._panels[action].visible and action == "correct":
                self._plate.run_method("focus")
            return
        await self._answer(Given(action))

    def _correct_panel(self) -> ui.element:
        panel = ui.element("div").classes("rv-panel").props('data-testid="panel-correct"')
        with panel:
            ui.label("正确的车牌是 The right plate is").classes("pp-section")
            with ui.element("div").classes("rv-choices"):
                for plate, shown, chance in self._sheet.candidates:
                    if plate == self._sheet.suggested_plate:
                        continue
                    choice = ui.button(
                        f"{shown} · {chance}", on_click=partial(self._answer, Given("correct", plate))
                    )
                    choice.props("outline no-caps dense")
                nobody = ui.button(
                    "不是客户 Nobody's", on_click=partial(self._answer, Given("correct", None))
                )
                nobody.props('outline no-caps dense data-testid="nobody"')
            with ui.element("div").classes("rv-typed"):
                self._plate = ui.input("车牌 Plate").props(
                    'outlined dense maxlength=12 data-testid="right-plate"'
                )
                self._plate.on("keydown.enter", self._correct_typed)
                ui.button("更正 Correct", on_click=self._correct_typed).props(
                    'no-caps unelevated data-testid="send-plate"'
                )
        return panel

    async def _correct_typed(self) -> None:
        plate = (self._plate.value or "").strip()
        if plate:
            await self._answer(Given("correct", plate))

    def _reverse_panel(self) -> ui.element:
        panel = ui.element("div").classes("rv-panel").props('data-testid="panel-reverse"')
        with panel:
            ui.label("全额退回 All of it goes back").classes("pp-section")
            self._misread = ui.checkbox("车牌读错，记住它 The plate was misread: remember it", value=True)
            with ui.element("div").classes("rv-typed"):
                self._right = ui.input("正确车牌（如知道） Right plate, if known").props(
                    "outlined dense maxlength=12"
                )
                ui.button("退款 Reverse", on_click=self._reverse).props(
                    'no-caps unelevated color=negative data-testid="send-reverse"'
                )
        return panel

    async def _reverse(self) -> None:
        plate = (self._right.value or "").strip() or None
        await self._answer(Given("reverse", plate, bool(self._misread.value)))

    # What is known ------------------------------------------------------------------------------------------

    def _show_head(self) -> None:
        line = self._sheet.line
        with ui.element("div").classes("rv-head"):
            ui.label(line.kind).classes("rv-kind")
            ui.label(line.place).classes("pp-soft")
            ui.element("div").classes("pp-grow")
            ui.label(line.amount).classes("rv-amount")
        with ui.element("div").classes("rv-compare"):
            with ui.element("div"):
                ui.label("读到 Read").classes("pp-section")
                plate_chip(line.plate, line.colour, line.is_readable)
            with ui.element("div"):
                ui.label("建议 Suggestion").classes("pp-section")
                plate_chip(self._sheet.suggested, line.colour, line.suggestion != "—").props(
                    'data-testid="suggestion"'
                )
            with ui.element("div"):
                ui.label("次选 Runner-up").classes("pp-section")
                ui.label(line.runner_up).classes("rv-other")
            with ui.element("div"):
                ui.label("领先 Margin").classes("pp-section")
                ui.label(line.margin).classes("rv-other")
        if self._sheet.people_needed > 1:
            ui.label("须两人一致 Two people must agree").classes("rv-two").props('data-testid="two"')

    def _show_crops(self) -> None:
        sheet = self._sheet
        with ui.element("div").classes("rv-pictures").props('data-testid="pictures"'):
            if sheet.line.crop:
                with ui.element("figure"):
                    picture(sheet.line.crop, f"车牌 {sheet.line.plate}").classes("rv-crop")
                    ui.label("本次 This car").classes("pp-soft")
            for sha256 in sheet.gallery:
                with ui.element("figure"):
                    picture(sha256, f"该账户 {sheet.suggested}").classes("rv-crop")
                    ui.label(f"以往 {sheet.suggested} earlier").classes("pp-soft")
        if not sheet.line.crop and not sheet.frame:
            ui.label("没有照片 No picture").classes("pp-soft")

    def _show_frame(self) -> None:
        sheet = self._sheet
        if sheet.frame:
            picture(sheet.frame, "整幅画面 The whole picture").classes("rv-frame")

    def _show_characters(self) -> None:
        if not self._sheet.positions:
            return
        ui.label("逐字概率 Each character").classes("pp-section")
        with ui.element("div").classes("pp-positions"):
            for position in self._sheet.positions:
                box = ui.element("div").classes("pp-position").props('data-testid="position"')
                if position and position[0][2] < UNSURE_BELOW_PPM:
                    box.classes("is-unsure")
                with box:
                    for index, (character, chance, _ppm) in enumerate(position[:3]):
                        words = character if index == 0 else f"{character} {chance}"
                        ui.label(words).classes("pp-char" if index == 0 else "pp-chance")
                        if index == 0:
                            ui.label(chance).classes("pp-chance")

    def _show_texts(self) -> None:
        sheet = self._sheet
        for title, texts in (
            ("原因 Reasons", sheet.reasons),
            ("决定依据 The sum", sheet.sums),
            ("候选 Candidates", tuple(f"{shown} · {chance}" for _, shown, chance in sheet.candidates)),
            ("答复 Answers", sheet.answers),
        ):
            if texts:
                with ui.element("div").classes("rv-texts"):
                    ui.label(title).classes("pp-section")
                    for text in texts:
                        ui.label(text)
        with ui.element("div").classes("pp-table"):
            for name, value in sheet.facts:
                ui.label(name).classes("pp-key")
                ui.label(value).classes("pp-value")
