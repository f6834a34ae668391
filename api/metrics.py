"""What Prometheus may ask: counters and gauges in a registry of this app's own."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from wallet.facts import SaleResult

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

CAMERA_STATES = ("ok", "starting", "reconnecting", "frozen", "black", "broken")


class Metrics:
    """The service's counters. Two apps in one process count apart."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "platepay_http_requests",
            "HTTP requests answered",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "platepay_http_request_seconds", "Time to answer", ["method", "route"], registry=self.registry
        )
        self.sightings = Counter(
            "platepay_sightings", "New sightings by outcome of the match", ["outcome"], registry=self.registry
        )
        self.decision_seconds = Histogram(
            "platepay_decision_seconds",
            "From the sighting's arrival to the commit of match, visit and hold",
            registry=self.registry,
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
        )
        self.sales = Counter("platepay_sales", "New sales by state", ["state"], registry=self.registry)
        self.holds_fen = Gauge("platepay_holds_fen", "Money reserved at this moment", registry=self.registry)
        self.captured_fen = Counter("platepay_captured_fen", "Money taken for sales", registry=self.registry)
        self.camera_state = Gauge(
            "platepay_camera_state",
            "1 for the state the camera last told",
            ["camera", "state"],
            registry=self.registry,
        )
        self.camera_frame_age_s = Gauge(
            "platepay_camera_last_frame_age_seconds",
            "Age of a camera's last frame",
            ["camera"],
            registry=self.registry,
        )
        self.janitor_failures = Counter(
            "platepay_janitor_failures", "Rounds that failed", registry=self.registry
        )
        self.relay_failures = Counter("platepay_relay_failures", "Rounds that failed", registry=self.registry)
        self.relayed = Counter("platepay_relayed_events", "Events handed to Redis", registry=self.registry)
        self.outbox_backlog = Gauge(
            "platepay_outbox_backlog", "Events not yet handed on", registry=self.registry
        )

        self.reviews_open = Gauge(
            "platepay_reviews_open", "Review items that wait for a person", ["kind"], registry=self.registry
        )
        self.reviews_overdue = Gauge(
            "platepay_reviews_overdue", "Those that are past their due time", ["kind"], registry=self.registry
        )

    def tell_reviews(self, waiting: Mapping[str, tuple[int, int]]) -> None:
        """Set how many items of each kind are open and overdue; a kind without any is gone."""
        self.reviews_open.clear()
        self.reviews_overdue.clear()
        for kind, (found, late) in waiting.items():
            self.reviews_open.labels(kind).set(found)
            self.reviews_overdue.labels(kind).set(late)

    def count_sale(self, result: SaleResult) -> None:
        """A sale that is new."""
        self.sales.labels(result.state).inc()
        self.captured_fen.inc(result.captured_fen)

    def tell_camera(self, camera: str, state: str) -> None:
        """Set which of the states a camera is in."""
        for known in CAMERA_STATES:
            self.camera_state.labels(camera, known).set(1 if known == state else 0)

    def page(self, frame_ages_s: Mapping[str, int], holds_fen: int, outbox_backlog: int) -> bytes:
        """The text Prometheus reads, with what is measured at the moment of asking put in."""
        for camera, age_s in frame_ages_s.items():
            self.camera_frame_age_s.labels(camera).set(age_s)
        self.holds_fen.set(holds_fen)
        self.outbox_backlog.set(outbox_backlog)
        return generate_latest(self.registry)
