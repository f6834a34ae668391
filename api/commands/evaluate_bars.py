"""The bars of the recogniser: what `platepay evaluate --all --check` holds its figures against.

A bar is data: where its figure stands in the printed JSON, and the limit. A sample of the pictures can only
show that a bar is surely missed: when the whole 95 % interval of the share lies beyond the limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from vision.intervals import wilson


@dataclass(frozen=True, slots=True)
class Bar:
    """One limit.

    path: the keys under which the figure stands; a count (its share is held against the limit) or a number.
    by_sample: whether a sample may judge it.
    """

    name: str
    path: tuple[str, ...]
    sense: Literal["at least", "at most"]
    limit: float
    by_sample: bool = True

    @property
    def is_share(self) -> bool:
        """Whether it is printed in per cent."""
        return self.sense == "at least" or self.path[-1] == "calibration_error"

    def written(self, value: float) -> str:
        """A figure of this bar, for people."""
        return f"{value:.2%}" if self.is_share else f"{value:g}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bar and the figure held against it. figure: None where there is none; holds: None: cannot be told."""

    bar: Bar
    figure: float | None
    detail: str
    holds: bool | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "name": self.bar.name,
            "sense": self.bar.sense,
            "limit": self.bar.limit,
            "figure": self.figure,
            "detail": self.detail,
            "holds": self.holds,
        }


SCENES: Final = (
    "passerbyzzz_provinces",
    "cn_misc",
    "cn_extra",
    "shaowenfu_boxes",
    "duany049",
    "casuallyname_test",
    "ccpd_misc",
)
NOTHING_READ: Final = ("openalpr_foreign", "negatives", "intel_car-detection")


def _exact(name: str, path: tuple[str, ...], limit: float, *, by_sample: bool = True) -> Bar:
    return Bar(name, path, "at least", limit, by_sample)


BARS: Final = (
    _exact("passerbyzzz_provinces, exact", ("sets", "passerbyzzz_provinces", "exact"), 0.985),
    _exact(
        "passerbyzzz_provinces, worst province",
        ("sets", "passerbyzzz_provinces", "worst_province"),
        0.90,
        by_sample=False,
    ),
    _exact("lprnet_test, exact", ("sets", "lprnet_test", "exact"), 0.993),
    _exact("lyl8213_crops, exact", ("sets", "lyl8213_crops", "exact"), 0.993),
    _exact("lyl8213_crops, yellow", ("sets", "lyl8213_crops", "kinds", "yellow"), 0.985),
    _exact("green plates of all sets", ("together", "energy"), 0.96),
    _exact("shaowenfu_boxes, exact", ("sets", "shaowenfu_boxes", "exact"), 0.97),
    _exact("cn_misc and cn_extra, exact", ("together", "cn_misc_and_cn_extra", "exact"), 0.92),
    _exact("unsupported kinds not read as another plate", ("together", "unsupported_not_read"), 1.0),
    *(
        Bar(f"{name}, wrong texts a picture", ("sets", name, "wrong_texts_a_picture"), "at most", 0.02)
        for name in SCENES
    ),
    Bar("all scenes, wrong texts a picture", ("together", "wrong_texts_a_picture"), "at most", 0.02),
    *(Bar(f"{name}, plate texts", ("sets", name, "texts"), "at most", 0) for name in NOTHING_READ),
    _exact("lprnet_test, accepted with no error", ("sets", "lprnet_test", "coverage", "0"), 0.97),
    _exact(
        "passerbyzzz_provinces, accepted with no error",
        ("sets", "passerbyzzz_provinces", "coverage", "0"),
        0.97,
    ),
    # A few pictures err by chance more than the limit, however good the reader.
    Bar("expected calibration error", ("together", "calibration_error"), "at most", 0.01, by_sample=False),
    Bar("weights, MB", ("weights_mb",), "at most", 40.0),
)


def judge(figures: Mapping[str, Any], bars: Sequence[Bar] = BARS, *, is_sample: bool) -> list[Verdict]:
    """Every bar held against the figures, in order. A figure that is not there holds no bar."""
    return [_judged(bar, figures, is_sample) for bar in bars]


def _judged(bar: Bar, figures: Mapping[str, Any], is_sample: bool) -> Verdict:
    found: Any = figures
    for key in bar.path:
        found = found.get(key) if isinstance(found, Mapping) else None
    if isinstance(found, Mapping):
        if not found.get("of"):
            return Verdict(bar, None, "no such plates", None if is_sample else False)
        figure, low, high = float(found["share"]), float(found["low"]), float(found["high"])
        named = f"{found['name']} " if found.get("name") else ""
        detail = f"{named}{found['right']} of {found['of']}"
    elif found is None:
        return Verdict(bar, None, "no such set", False)
    else:
        figure = low = high = float(found)
        detail = ""
        if bar.path[-1] == "wrong_texts_a_picture":
            low, high, detail = _of_pictures(figures, bar.path)
    if is_sample and not bar.by_sample:
        return Verdict(bar, figure, detail, None)
    # The doubt of a sample is for the recogniser: only what is surely beyond the limit is missed.
    best = (high if bar.sense == "at least" else low) if is_sample else figure
    holds = best >= bar.limit if bar.sense == "at least" else best <= bar.limit
    return Verdict(bar, figure, detail, holds)


def _of_pictures(figures: Mapping[str, Any], path: tuple[str, ...]) -> tuple[float, float, str]:
    """The interval of the wrong texts among the pictures of the same set, and both numbers in words."""
    found: Any = figures
    for key in path[:-1]:
        found = found[key]
    wrong, pictures = int(found["wrong_texts"]), int(found["pictures"])
    low, high = wilson(min(wrong, pictures), pictures) if pictures else (0.0, 0.0)
    return low, high, f"{wrong} in {pictures} pictures"
