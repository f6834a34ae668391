import pytest

from vision.plates import ALPHABET, KINDS, is_supported, is_valid, kind_of, normalise


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("粤B12345", "civil"),
        ("皖AY1W91", "civil"),
        ("晋O88888", "civil"),
        ("沪AF02976", "energy small"),
        ("京ADA5396", "energy small"),
        ("浙AAG0817", "energy small"),
        ("苏EDU2505", "energy small"),
        ("陕A06725D", "energy large"),
        ("粤B00001F", "energy large"),
        ("琼A6716学", "driving school"),
        ("京AB123挂", "trailer"),
        ("鄂F8888警", "police"),
        ("川X3501应急", "emergency"),
        ("CY21013", "military"),
        ("粤Z888A港", "Hong Kong or Macao"),
        ("粤ZK12澳", None),
        ("沪A1707领", "consulate"),
        ("使224424", "embassy"),
        ("民航B0150", "civil aviation"),
        ("粤B1234", None),
        ("粤B123456", None),
        ("粤AX12345", None),
        ("粤AD1234A", None),
        ("粤BI2345", None),
        ("粤B1234O", None),
        ("粤I12345", None),
        ("B粤12345", None),
        ("湘B1234X", "civil"),
        ("RK896AO", None),
        ("", None),
    ],
)
def test_every_text_is_of_one_kind_or_none(text: str, kind: str | None) -> None:
    found = kind_of(text)
    assert (found.name if found else None) == kind
    assert sum(k.allows(text) for k in KINDS) == (kind is not None)


def test_no_serial_has_the_letters_that_look_like_digits() -> None:
    for kind in KINDS:
        for allowed in kind.positions[2:]:
            assert not set("IO") & set(allowed)
            assert set(allowed) <= set(ALPHABET)


@pytest.mark.parametrize(
    ("text", "colour", "valid"),
    [
        ("粤B12345", "blue", True),
        ("粤B12345", "yellow", True),
        ("粤B12345", "green", False),
        ("沪AF02976", "green", True),
        ("沪AF02976", "blue", False),
        ("鄂F8888警", "white", True),
        ("鄂F8888警", "blue", False),
        ("使224424", "black", True),
    ],
)
def test_a_colour_belongs_to_the_kind(text: str, colour: str, valid: bool) -> None:
    assert is_valid(text, colour) is valid


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("粤b·12345", "粤B12345"),
        (" 粤B-123 45", "粤B12345"),
        ("粤Ｂ１２３４５", "粤B12345"),
        ("粤B1234O", "粤B1234O"),
    ],
)
def test_normalising_changes_the_writing_and_guesses_nothing(written: str, stored: str) -> None:
    assert normalise(written) == stored


@pytest.mark.parametrize(
    ("text", "supported"),
    [("粤B12345", True), ("CY21013", True), ("WJ1693015", False), ("皖1946673", False), ("RK896AO", False)],
)
def test_a_kind_is_read_or_said_not_to_be(text: str, supported: bool) -> None:
    assert is_supported(text) is supported
