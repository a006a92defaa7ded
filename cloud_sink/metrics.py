"""What Prometheus is told; its own registry, so that nothing else slips in."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from cloud_sink.store import Committed

# A commit takes from a fraction of a millisecond (RAM) to seconds (a worn card), seconds.
_COMMIT_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Metrics:
    """The sink's counters since it started."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._messages = Counter(
            "shelflight_sink_messages",
            "Messages stored, known already, or put aside as dead letters, by reason.",
            ("outcome", "reason"),
            registry=self.registry,
        )
        self._windows = Counter(
            "shelflight_sink_windows", "Windows stored.", registry=self.registry
        )
        self._receipts = Counter(
            "shelflight_sink_receipts", "Receipts sent to units.", registry=self.registry
        )
        self._commits = Histogram(
            "shelflight_sink_commit_seconds",
            "Time of a durable commit of one batch.",
            buckets=_COMMIT_BUCKETS,
            registry=self.registry,
        )
        self._failures = Counter(
            "shelflight_sink_commit_failures",
            "Commits that failed; their messages come again.",
            registry=self.registry,
        )
        self._connected = Gauge(
            "shelflight_sink_connected", "1 while subscribed at the broker.", registry=self.registry
        )

    def committed(self, done: Committed, seconds: float) -> None:
        """Note one commit."""
        for (outcome, reason), count in done.outcomes.items():
            self._messages.labels(outcome, reason).inc(count)
        self._windows.inc(done.windows)
        self._commits.observe(seconds)

    def receipted(self, count: int) -> None:
        """Note receipts handed to the broker's link."""
        self._receipts.inc(count)

    def commit_failed(self) -> None:
        """Note a commit that stored nothing."""
        self._failures.inc()

    def connected(self, subscribed: bool) -> None:
        """Note the link's state."""
        self._connected.set(subscribed)
