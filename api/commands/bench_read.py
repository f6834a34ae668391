"""`platepay bench read`: what a frame with one plate costs, stage by stage, next to a stock pipeline.

Costs are CPU milliseconds of this process, one thread, the median of many frames; ours and the reference take
turns, so that whatever else the machine does meets both. With `--json` one object:

    machine: cpu, cores, amx; frame: width, height; rounds; weights_mb; detector_long_side_px
    engines: by name
        ours: detect, level, read and total ms; least_ms: the total of the cheapest frame; detections: a frame
        parts: what the stages consist of: letterbox, detector, boxes (from its output), colour, paint, input,
               reader, decoder, text; measured on the frame a second time, when less is waited for memory
        second_reader: ms of one crop
        reference: detect, crop, read and total ms
        ratio: total of ours / total of the reference
    bars: name, sense, limit, figure, holds (null: not judged on this machine), detail
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import cv2
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from api.commands.failures import CommandError
from cameras.forecourt import Script, ScriptedCar
from cameras.simulator import Scene
from vision.backends import load_detector, load_reader, load_second_reader
from vision.cards import WEIGHTS
from vision.colour import colour_probabilities
from vision.detector import PlateDetector, decode_poses, letterbox
from vision.paint import paint_probabilities
from vision.reader import PlateReader, kind_weights, plate_text, reader_input, reader_line
from vision.rectify import level, possible_rows
from vision.types import Image

if TYPE_CHECKING:
    from api.commands.bench_reference.pipeline import ReferencePipeline

Timed = TypeVar("Timed")

RATIO: Final = 0.35
TOTAL_MS: Final = 10.0
WEIGHTS_MB: Final = 40.0
ROUNDS: Final = 60
QUICK_ROUNDS: Final = 15
FEWEST_ROUNDS: Final = 3
# A quick run begins no further round after this: loading alone takes that long where others want the cores.
QUICK_S: Final = 20.0
PACKAGES: Final = {"openvino": "openvino", "onnx": "onnxruntime"}
STAND_S: Final = 40.0
CARS: Final = (("粤B8K562", "blue"), ("京AD06088", "green"), ("沪D29275", "yellow"))


class CpuClock:
    """CPU milliseconds of this process by stage, a list a stage."""

    def __init__(self) -> None:
        self.ms: dict[str, list[float]] = defaultdict(list)

    def __call__(self, stage: str, work: Callable[[], Timed]) -> Timed:
        """Run the work of a stage."""
        start = time.process_time()
        result = work()
        self.ms[stage].append((time.process_time() - start) * 1000)
        return result

    def last(self) -> float:
        """All stages of the last frame together."""
        return sum(values[-1] for values in self.ms.values())

    def medians(self) -> dict[str, float]:
        """By stage, rounded."""
        return {stage: round(statistics.median(values), 2) for stage, values in self.ms.items()}


class EngineBench:
    """Both pipelines in one engine, measured in turns."""

    def __init__(self, engine: str) -> None:
        self.reference = reference_in(engine)
        detector, second = load_detector(engine), load_second_reader(engine)
        if not isinstance(detector, PlateDetector) or not isinstance(second, PlateReader):
            raise CommandError(f"--engine {engine}: bench read measures {' and '.join(PACKAGES)}")
        self.detector, self.first, self.second = detector, load_reader(engine), second
        self.ours, self.parts, self.theirs, self.beside = CpuClock(), CpuClock(), CpuClock(), CpuClock()
        self.totals: list[float] = []
        self.reference_totals: list[float] = []
        self.detections: list[int] = []

    def round(self, frame: Image) -> None:
        """One frame through both. Raises CommandError where the detector finds no plate in it."""
        crop, rows, corners = self._ours(frame)
        x1, y1 = np.maximum(corners.min(axis=0), 0).astype(int).tolist()
        x2, y2 = corners.max(axis=0).astype(int).tolist()
        self.reference.run(frame, (x1, y1, x2, y2), self.theirs)
        self.reference_totals.append(self.theirs.last())
        self.beside("second_reader", lambda: self.second.read(crop, rows))
        self._parts(frame, crop, rows[0])

    def _ours(self, frame: Image) -> tuple[Image, tuple[int, ...], Any]:
        """As the pipeline does it: every detection is levelled and read. Gives the best one's crop."""
        found = self.ours("detect", lambda: self.detector.detect(frame))
        if not found:
            raise CommandError("the detector finds no plate in the drawn frame: nothing can be measured")
        crops = self.ours("level", lambda: [level(frame, d.corners) for d in found])
        rows = [possible_rows(d.corners) for d in found]
        self.ours("read", lambda: [self.first.read(c, r) for c, r in zip(crops, rows, strict=True)])
        self.totals.append(self.ours.last())
        self.detections.append(len(found))
        return crops[0], rows[0], found[0].corners

    def _parts(self, frame: Image, crop: Image, rows: int) -> None:
        detector, reader, timed = self.detector, self.first, self.parts
        boxed = timed("letterbox", lambda: letterbox(frame, detector.long_side_px))
        raw = timed("detector", lambda: detector.network.run(boxed.batch))[0]
        size = (frame.shape[1], frame.shape[0])
        timed("boxes", lambda: decode_poses(raw, boxed, size, detector.score, detector.overlap))
        colours = timed("colour", lambda: colour_probabilities(crop))
        paint = timed("paint", lambda: paint_probabilities(crop))
        batch = timed("input", lambda: reader_input(reader_line(crop, rows)))
        output = timed("reader", lambda: reader.network.run(batch))[0]
        decoded = timed("decoder", lambda: reader.decoder.decode(output, kind_weights(paint)))
        timed("text", lambda: plate_text(decoded, colours, reader.limits, paint))

    def figures(self) -> dict[str, Any]:
        """What is printed of this engine."""
        total, reference = statistics.median(self.totals), statistics.median(self.reference_totals)
        return {
            "ours": {**self.ours.medians(), "total": round(total, 2)},
            "least_ms": round(min(self.totals), 2),
            "detections": round(statistics.mean(self.detections), 2),
            "parts": self.parts.medians(),
            **self.beside.medians(),
            "reference": {**self.theirs.medians(), "total": round(reference, 2)},
            "ratio": round(total / reference, 3),
        }


def bench_read(*, as_json: bool, check: bool, quick: bool, engine: str) -> int:
    """Measure and print; with `check` 1 where a bar is missed, naming it on stderr, else 0."""
    engines = present_engines(engine)
    started = time.monotonic()
    cv2.setNumThreads(1)
    frames = drawn_frames()
    console = Console(stderr=True)
    rounds = 0
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("building and loading the networks", total=None)
        benches = {name: EngineBench(name) for name in engines}
        wanted = QUICK_ROUNDS if quick else ROUNDS
        progress.update(bar, description="measuring", total=wanted, completed=0)
        while rounds < wanted:
            if quick and rounds >= FEWEST_ROUNDS and time.monotonic() - started > QUICK_S:
                break
            for bench in benches.values():
                bench.round(frames[rounds % len(frames)])
            rounds += 1
            progress.update(bar, completed=rounds)
    height, width = frames[0].shape[:2]
    result: dict[str, Any] = {
        "machine": machine(),
        "frame": {"width": width, "height": height},
        "rounds": rounds,
        "weights_mb": round(sum(path.stat().st_size for path in WEIGHTS.glob("*.onnx")) / 1e6, 2),
        "detector_long_side_px": next(iter(benches.values())).detector.long_side_px,
        "engines": {name: bench.figures() for name, bench in benches.items()},
    }
    result["bars"] = judged(result)
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    else:
        _print(result)
    missed = [bar for bar in result["bars"] if bar["holds"] is False]
    for bar in missed if check else ():
        sys.stderr.write(f"platepay: missed: {bar['name']}: {bar['figure']:g}, at most {bar['limit']:g}\n")
    return 1 if check and missed else 0


def reference_in(engine: str) -> ReferencePipeline:
    """The reference in an engine, warm. Raises CommandError where what builds it is not installed."""
    try:
        from api.commands.bench_reference.pipeline import load_reference
    except ImportError as error:
        raise CommandError(
            f"bench read builds its reference with the package {error.name}: pip install 'platepay[bench]'"
        ) from error
    return load_reference(engine)


def present_engines(engine: str) -> list[str]:
    """The engines to measure: the one named, or all that are installed. Raises CommandError."""
    if engine == "auto":
        return [name for name, package in PACKAGES.items() if importlib.util.find_spec(package)]
    if engine not in PACKAGES:
        raise CommandError(
            f"--engine {engine}: bench read measures {' and '.join(PACKAGES)}; give one, or auto"
        )
    return [engine]


def drawn_frames() -> list[Image]:
    """Each car with its plate at a pump of the simulated forecourt: (720, 1280, 3) uint8 BGR."""
    rng = np.random.default_rng(0)
    cars = [
        ScriptedCar(plate, colour, "1", arrives_s=4.0 + STAND_S * n, leaves_s=STAND_S * n + STAND_S / 2)
        for n, (plate, colour) in enumerate(CARS)
    ]
    scene = Scene(Script(tuple(cars)))
    frames = []
    for car in cars:
        picture = scene.picture(car.arrives_s + 2.0)
        noisy = picture + rng.normal(0, 2, picture.shape).round()
        frames.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return frames


def machine() -> dict[str, Any]:
    """The processor, and whether it multiplies matrices of bfloat16 by itself (AMX)."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    told = {key.strip(): value.strip() for key, value in lines.items()}
    flags = told.get("flags", "").split()
    return {
        "cpu": told.get("model name", "unknown"),
        "cores": os.cpu_count(),
        "amx": {"amx_tile", "amx_bf16"} <= set(flags),
    }


def judged(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Every bar with its figure; holds: None where this machine cannot tell."""
    bars = [
        _bar(f"ours to reference, {name}", RATIO, figures["ratio"])
        for name, figures in result["engines"].items()
    ]
    if "openvino" in result["engines"]:
        bar = _bar("cpu-ms a frame, openvino", TOTAL_MS, result["engines"]["openvino"]["ours"]["total"])
        if not result["machine"]["amx"]:
            bar.update(holds=None, detail="no AMX, not judged")
        bars.append(bar)
    return [*bars, _bar("weights, MB", WEIGHTS_MB, result["weights_mb"])]


def _bar(name: str, limit: float, figure: float) -> dict[str, Any]:
    holds: bool | None = figure <= limit
    return {
        "name": name,
        "sense": "at most",
        "limit": limit,
        "figure": figure,
        "holds": holds,
        "detail": "",
    }


def _print(result: dict[str, Any]) -> None:
    console = Console()
    told = result["machine"]
    console.print(
        f"{told['cpu']}, {'AMX' if told['amx'] else 'no AMX'}; one thread, CPU milliseconds, median of "
        f"{result['rounds']} frames 1280x720 with one plate; detector at {result['detector_long_side_px']}"
    )
    for name, figures in result["engines"].items():
        table = Table(title=name, title_justify="left")
        for heading in ("", "ours", "reference"):
            table.add_column(heading, justify="right" if heading else "left")
        ours, theirs = figures["ours"], figures["reference"]
        table.add_row("letterbox, network, boxes", f"{ours['detect']:.1f}", f"{theirs['detect']:.1f}")
        table.add_row("level, or cut the crop", f"{ours['level']:.1f}", f"{theirs['crop']:.1f}")
        table.add_row("read", f"{ours['read']:.1f}", f"{theirs['read']:.1f}")
        table.add_row("total", f"{ours['total']:.1f}", f"{theirs['total']:.1f}")
        table.add_row("ratio", f"{figures['ratio']:.2f}", "1")
        console.print(table)
        parts = ", ".join(f"{part} {ms:.2f}" for part, ms in figures["parts"].items())
        console.print(f"of which {parts}; a crop by the second reader {figures['second_reader']:.1f}")
    for bar in result["bars"]:
        said = {True: "holds", False: "MISSED", None: bar["detail"]}[bar["holds"]]
        console.print(f"{bar['name']}: {bar['figure']:g}, at most {bar['limit']:g}: {said}")
