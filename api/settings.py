"""Settings: every switch of the service, read once from PLATEPAY_ variables, checked and frozen."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta, timezone, tzinfo
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from wallet.rules import Rules

PREFIX = "PLATEPAY_"

# Variables that steer the project's own tests and measurements; the service ignores them.
NOT_OURS = ("PLATEPAY_REQUIRE_", "PLATEPAY_TEST_")
LABELLED_DATA = "PLATEPAY_DATA"

SHORTEST_SECRET = 32


class BadSettings(Exception):  # noqa: N818
    """The environment cannot be used. problems: one sentence each, naming the variable and what to do."""

    code = "bad_settings"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def find_zone(name: str) -> tzinfo:
    """The time zone of that name. China has no summer time, so its zone needs no time zone database."""
    if name == "Asia/Shanghai":
        return timezone(timedelta(hours=8), "CST")
    return ZoneInfo(name)


class Settings(BaseSettings):
    """What the service was told. Units stand last in each name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    data_dir: Path = Field(
        Path("platepay-data"), description="Folder of the database, the secret and the pictures"
    )
    database_url: str = Field(
        "", repr=False, description="SQLAlchemy URL; empty: SQLite in DATA_DIR/platepay.db"
    )
    redis_url: str | None = Field(None, repr=False, description="Redis for nonces and events; none: database")
    secret: SecretStr | None = Field(
        None, description="Device and channel keys derive from it; none: made once in DATA_DIR/secret.key"
    )
    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0: any free one")
    sandbox: bool = Field(
        False, description="Offer the sandbox payment channel: recharges without real money"
    )
    page: bool = Field(True, description="Serve the operator page under /operator")
    engine: Literal["auto", "openvino", "onnx", "torch", "ultralytics"] = Field(
        "auto", description="What runs the neural networks, where --engine names nothing else"
    )
    second_reader: Literal["auto", "openvino", "onnx", "torch", "paddle"] = Field(
        "auto", description="What runs the second reader; auto: the same engine as the first"
    )

    time_zone: str = Field("Asia/Shanghai", description="Zone of the times on the operator page")
    session_s: int = Field(43_200, ge=60, le=604_800, description="How long a login lasts")
    login_attempts: int = Field(5, ge=1, le=100, description="Wrong passwords in a row before a lock-out")
    login_lock_s: int = Field(900, ge=1, le=86_400, description="How long a lock-out lasts")
    janitor_every_s: int = Field(3, ge=1, le=3_600, description="How often stays and holds are looked after")

    prior_customer_ppm: int = Field(
        200_000,
        ge=0,
        le=1_000_000,
        description="How many of the cars of a station are customers, before they have been counted",
    )
    hold_fen: int | None = Field(None, gt=0, description="Money reserved on arrival")
    minimum_hold_fen: int | None = Field(
        None, gt=0, description="With less than this available nothing is reserved"
    )
    dispute_cost_fen: int | None = Field(
        None, ge=0, description="What a wrong debit costs besides its amount"
    )
    review_cost_fen: int | None = Field(None, ge=0, description="What asking an operator costs")
    delay_cost_fen: int | None = Field(None, ge=0, description="What it costs that the driver waits for it")
    auto_ceiling_ppm: int | None = Field(
        None, ge=0, le=1_000_000, description="Chance of a wrong account above which an operator is asked"
    )
    reentry_s: int | None = Field(None, ge=0, description="Back within this time is the same stay")
    leave_grace_s: int | None = Field(
        None, ge=0, description="A sale may come this long after its car has left"
    )
    longest_stay_s: int | None = Field(None, gt=0, description="A stay without a sale ends after this")
    late_sale_s: int | None = Field(
        None, ge=0, description="A sale that began under a hold may come this long after it expired"
    )
    cool_off_s: int | None = Field(
        None, ge=0, description="A new plate pays nothing by itself for this long; 0: at once"
    )
    entry_fee_fen: int | None = Field(
        None, ge=0, description="Charged on arrival where the station has no tariff; 0: nothing"
    )
    usual_price_fen: int | None = Field(
        None, gt=0, description="A litre where a station has told no price; makes money of a tank"
    )

    two_person_fen: int | None = Field(
        None, ge=0, description="Above this two different people must agree about a review item"
    )
    review_due_sighting_s: int | None = Field(
        None, gt=0, description="How long a car at a pump may wait for a reviewer"
    )
    review_due_sale_s: int | None = Field(
        None, gt=0, description="How long a sale without a known car may wait for a reviewer"
    )
    review_due_s: int | None = Field(None, gt=0, description="How long any other review item may wait")
    confirmations_needed: int | None = Field(
        None, ge=0, description="So many confirmed readings make a corrected one trusted again"
    )

    retain_strangers_s: int = Field(
        10_800, ge=0, description="Plates and pictures of cars that are nobody's are erased after this"
    )
    shadow_rules: str = Field(
        "",
        description="Rules tried beside, moving nothing: auto_ceiling_ppm=1000,review_cost_fen=300",
    )

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(
                f"give at least {SHORTEST_SECRET} characters of chance, or leave it out to have one made"
            )
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("it begins with redis://, rediss:// or unix://")
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone_there(cls, value: str) -> str:
        try:
            find_zone(value)
        except (ValueError, ZoneInfoNotFoundError):
            raise ValueError("it is a name such as Asia/Shanghai or UTC") from None
        return value

    def model_post_init(self, _context: object) -> None:
        """Put the database beside the other data unless a URL was given."""
        if not self.database_url:
            # The value is frozen for everyone else; here it is still being made.
            self.__dict__["database_url"] = f"sqlite:///{self.data_dir / 'platepay.db'}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then nothing else: `read_settings` hands the environment in as arguments."""
        return (init_settings,)

    def rule_overrides(self) -> dict[str, int]:
        """The wallet's rules that were set, by their names there."""
        return {name: value for name in RULE_NAMES if (value := getattr(self, name)) is not None}


def shadow_rules(settings: Settings) -> Rules | None:
    """The rules that are tried beside the others, on top of them; None where there are none."""
    if not settings.shadow_rules:
        return None
    changes: dict[str, int] = {}
    for part in settings.shadow_rules.split(","):
        name, _, number = part.strip().partition("=")
        if name not in {field.name for field in fields(Rules)} or not number.isdigit():
            raise BadSettings(
                [f"{PREFIX}SHADOW_RULES cannot be used: {part.strip()!r} is not NAME=NUMBER of a rule"]
            )
        changes[name] = int(number)
    return Rules(**{**settings.rule_overrides(), **changes})


RULE_NAMES = (
    "hold_fen",
    "minimum_hold_fen",
    "dispute_cost_fen",
    "review_cost_fen",
    "auto_ceiling_ppm",
    "reentry_s",
    "leave_grace_s",
    "longest_stay_s",
    "late_sale_s",
    "cool_off_s",
    "entry_fee_fen",
    "usual_price_fen",
    "two_person_fen",
    "review_due_sighting_s",
    "review_due_sale_s",
    "review_due_s",
    "confirmations_needed",
)


def read_settings(environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """The settings in the environment, with overrides (command-line options) on top; None overrides nothing.

    Raises BadSettings naming every variable that is unknown or has a value that cannot be used.
    """
    environment = os.environ if environment is None else environment
    given = {
        name[len(PREFIX) :].lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and not name.startswith(NOT_OURS) and name != LABELLED_DATA
    }
    problems = [_unknown(name) for name in given if name not in Settings.model_fields]
    values: dict[str, object] = {
        name: value for name, value in given.items() if name in Settings.model_fields
    }
    # An empty variable in a compose file means "not set".
    values = {name: value for name, value in values.items() if value != ""}
    values.update({name: value for name, value in overrides.items() if value is not None})
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems.extend(_explain(item["loc"], item["msg"]) for item in error.errors(include_url=False))
        raise BadSettings(problems) from None
    if problems:
        raise BadSettings(problems)
    return settings


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, Settings.model_fields, n=1, cutoff=0.5)
    hint = (
        f"did you mean {PREFIX}{near[0].upper()}?" if near else "see docs/settings.md for the names there are"
    )
    return f"{PREFIX}{name.upper()} is not a setting; {hint}"


def _explain(loc: tuple[int | str, ...], message: str) -> str:
    # The value itself is left out: it may be a secret.
    name = f"{PREFIX}{str(loc[0]).upper()}" if loc else PREFIX
    field = Settings.model_fields.get(str(loc[0])) if loc else None
    meaning = f" ({field.description})" if field is not None and field.description else ""
    return f"{name}{meaning} cannot be used: {message.removeprefix('Value error, ')}"
