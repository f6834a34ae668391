"""A value that is made quickly is in all else what its dataclass is."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, replace
from typing import get_type_hints

import pytest

from wallet.frozen import quickly_made


@dataclass(frozen=True, slots=True)
class Plain:
    """Made as dataclasses make it."""

    name: str
    numbers: tuple[int, ...] = ()
    note: str | None = field(default="none", compare=False)


@quickly_made
@dataclass(frozen=True, slots=True)
class Quick:
    """The same."""

    name: str
    numbers: tuple[int, ...] = ()
    note: str | None = field(default="none", compare=False)


@pytest.mark.parametrize(
    ("given", "named"), [(("a",), {}), (("a", (1,)), {"note": None}), ((), {"note": "x", "name": "b"})]
)
def test_it_has_the_fields_and_defaults_of_its_dataclass(given, named):
    assert asdict(Quick(*given, **named)) == asdict(Plain(*given, **named))
    assert repr(Quick(*given, **named)) == repr(Plain(*given, **named)).replace("Plain", "Quick")


@pytest.mark.parametrize(
    ("given", "named"), [((), {}), (("a", (), None, 1), {}), (("a",), {"name": "b"}), (("a",), {"other": 1})]
)
def test_it_is_made_of_its_fields_only(given, named):
    for kind in (Plain, Quick):
        with pytest.raises(TypeError):
            kind(*given, **named)


def test_nothing_of_it_can_be_written_or_removed():
    value = Quick("a")
    with pytest.raises(FrozenInstanceError):
        value.name = "b"
    with pytest.raises(FrozenInstanceError):
        del value.name
    with pytest.raises((AttributeError, TypeError)):
        value.other = "b"
    assert value.name == "a"


def test_it_is_compared_hashed_copied_and_replaced_as_its_dataclass_is():
    value = Quick("a", (1, 2))
    assert value == Quick("a", (1, 2), "another note") != Quick("a", (2, 1))
    assert {value: 1}[Quick("a", (1, 2))] == 1
    assert copy.copy(value) == pickle.loads(pickle.dumps(value)) == value
    assert replace(value, name="b") == Quick("b", (1, 2))
    assert get_type_hints(Quick.__init__) == get_type_hints(Plain.__init__)


def test_what_does_more_when_it_is_made_is_refused():
    @dataclass(frozen=True, slots=True)
    class Listed:
        names: list[str] = field(default_factory=list)

    @dataclass(frozen=True, slots=True)
    class Checked:
        name: str

        def __post_init__(self) -> None:
            raise ValueError(self.name)

    for kind in (Listed, Checked):
        with pytest.raises(TypeError):
            quickly_made(kind)
