"""Builds the service's parts from its settings: the only place that chooses."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import redis

from api.auth import Devices, Operators
from api.autopay import Autopay
from api.channels import Channel, SandboxChannel
from api.deciding import decider
from api.dispute.signing import Signer
from api.evidence import EvidenceStore
from api.forgetting import Forgetting
from api.janitor import Rounds
from api.keys import channel_key, ledger_key, pack_seed, plate_key, server_secret
from api.metrics import Metrics
from api.migrations import upgrade
from api.nonces import DatabaseNonces, NonceStore, RedisNonces, connect_redis
from api.passwords import Passwords
from api.relay import Relay
from api.schemas.devices import CameraHealthMessage
from api.settings import BadSettings, Settings, shadow_rules
from vision.confusion import measured_lookalikes
from wallet.access import Access, CameraStatus
from wallet.rules import Rules
from wallet.service import Wallet, open_wallet
from wallet.store.database import check_durability, make_engine

RELAY_EVERY_S = 0.5
SEAL_EVERY = timedelta(seconds=60)
# What is counted once a night is looked at this often, and done when a day has gone by.
NIGHTLY_EVERY_S = 600.0
NIGHTLY = timedelta(hours=24)
BACKLOG_COUNTED = 1_000
OPEN_VISITS = 5_000


def utc_now() -> datetime:
    """The clock of the running service."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Services:
    """The parts of one running service. Routes are handed this."""

    settings: Settings
    clock: Callable[[], datetime]
    wallet: Wallet
    access: Access
    operators: Operators
    devices: Devices
    autopay: Autopay
    evidence: EvidenceStore
    channels: Mapping[str, Channel]
    metrics: Metrics
    janitor: Rounds
    nightly: Rounds
    relay: Rounds | None
    passwords: Passwords
    redis_client: redis.Redis | None
    signer: Signer
    forgetting: Forgetting

    def start(self) -> None:
        """Begin the work in the background."""
        self.janitor.start()
        self.nightly.start()
        if self.relay is not None:
            self.relay.start()

    def stop(self) -> None:
        """End it, and give back what is open."""
        self.janitor.stop()
        self.nightly.stop()
        if self.relay is not None:
            self.relay.stop()
        self.close()

    def close(self) -> None:
        """Give back what is open; for commands that never started the background work."""
        self.passwords.close()
        if self.redis_client is not None:
            self.redis_client.close()
        self.wallet.close()

    def tell_camera(self, camera: str, message: CameraHealthMessage) -> None:
        """Keep how a camera is."""
        self.access.report_camera(
            CameraStatus(
                station=message.station,
                camera=camera,
                state=message.state,
                frames=message.frames,
                dropped=message.dropped,
                broken_frames=message.broken_frames,
                reconnects=message.reconnects,
                last_frame_at=message.last_frame_at,
                width=message.width,
                height=message.height,
                detail=message.detail,
                reported_at=self.clock(),
            )
        )
        self.metrics.tell_camera(camera, message.state)

    def check_ready(self, now: datetime) -> None:
        """A write that is on disk when this returns; raises what the wallet or the database raises."""
        check_durability(self.wallet.engine)
        self.access.use_nonce("readyz", secrets.token_hex(16), now, now + timedelta(seconds=1))

    def holds_fen(self) -> int:
        """Money reserved for cars that are on site."""
        return sum(visit.hold_fen for visit in self.wallet.visits(state="open", limit=OPEN_VISITS))

    def outbox_backlog(self) -> int:
        """Events not yet handed on, counted up to BACKLOG_COUNTED."""
        return len(self.wallet.outbox.pending(BACKLOG_COUNTED))


def open_database(settings: Settings) -> Wallet:
    """The wallet on the configured database, brought to this version's tables first."""
    rules = Rules(**settings.rule_overrides())
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = make_engine(settings.database_url)
    try:
        upgrade(engine)
    except BaseException:
        engine.dispose()
        raise
    return open_wallet(settings.database_url, rules, engine=engine, alike=measured_lookalikes())


def retention(settings: Settings, rules: Rules) -> timedelta:
    """How long strangers are kept. A sale may ask who else stood at its pump as long as its stay may last.

    Raises BadSettings for less.
    """
    least_s = rules.longest_stay_s + rules.sale_grace_s
    if settings.retain_strangers_s < least_s:
        why = "the longest stay and the grace of a sale"
        raise BadSettings([f"PLATEPAY_RETAIN_STRANGERS_S must be {least_s} or more: {why}"])
    return timedelta(seconds=settings.retain_strangers_s)


def build_services(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Services:
    """Every part, ready to start. Raises WalletError where the database cannot be trusted with money."""
    wallet = open_database(settings)
    access = wallet.access
    configuration = {"prior_customer_ppm": settings.prior_customer_ppm}
    beside = shadow_rules(settings)
    shadow = None if beside is None else decider(beside, {**configuration, "shadow": True}, clock())
    wallet.proof.decide_as(decider(wallet.rules, configuration, clock()), shadow, beside)
    secret = server_secret(settings)
    metrics = Metrics()
    evidence = EvidenceStore(settings.data_dir / "evidence")
    redis_client = connect_redis(settings.redis_url) if settings.redis_url else None
    nonces: NonceStore = RedisNonces(redis_client) if redis_client else DatabaseNonces(access)
    passwords = Passwords()
    relay = None
    if redis_client is not None:
        events = Relay(wallet.outbox, redis_client, metrics.relayed, f"relay-{secrets.token_hex(6)}")
        relay = Rounds("relay", events.hand_on, RELAY_EVERY_S, clock, metrics.relay_failures)
    channels: dict[str, Channel] = {}
    if settings.sandbox:
        channels["sandbox"] = SandboxChannel(channel_key(secret, "sandbox"), nonces)

    sealing_key = ledger_key(secret)
    forgetting = Forgetting(wallet.privacy, evidence, retention(settings, wallet.rules))
    wallet.privacy.plate_key = plate_key(secret)
    if not wallet.privacy.is_indexed():
        wallet.privacy.reindex()

    def look_after(now: datetime) -> None:
        # A test that moves the clock moves everything; a service goes by the clock it shares with the others.
        if clock is utc_now:
            wallet.expire()
        else:
            wallet.sweep(now)
        access.forget_expired(now)
        forgetting.sweep(now)
        wallet.proving.seal_when_due(sealing_key, SEAL_EVERY)

    def count_again(now: datetime) -> None:
        # In a thread of its own: with millions of plates it takes minutes, and holds must not wait for it.
        wallet.habits.recount_when_due(now, NIGHTLY)
        wallet.twins.refresh_when_due(now, NIGHTLY)
        wallet.fees.settle_nightly(now)

    return Services(
        settings=settings,
        clock=clock,
        wallet=wallet,
        access=access,
        operators=Operators(access, passwords, settings, clock),
        devices=Devices(access, nonces, secret, clock),
        autopay=Autopay(wallet, evidence, metrics, clock, settings.prior_customer_ppm),
        evidence=evidence,
        channels=channels,
        metrics=metrics,
        janitor=Rounds("janitor", look_after, settings.janitor_every_s, clock, metrics.janitor_failures),
        nightly=Rounds("nightly", count_again, NIGHTLY_EVERY_S, clock, metrics.janitor_failures),
        relay=relay,
        passwords=passwords,
        redis_client=redis_client,
        signer=Signer(pack_seed(secret)),
        forgetting=forgetting,
    )
