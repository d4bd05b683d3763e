"""`/healthz` and `/metrics` for the operator: off unless a port is set, and on loopback unless a host is set."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Self

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from core.errors import BadSetting

LAG_EVERY = 0.25  # seconds between two looks at the event loop


class Metrics:
    """The counters and timers. They have a registry of their own, so that two bots in one process (in tests) don't share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.jobs = Counter("egao_jobs", "Requests by kind and outcome", ["kind", "outcome"], registry=self.registry)
        self.seconds = Histogram(
            "egao_job_seconds",
            "Time from request to answer",
            ["kind"],
            registry=self.registry,
            buckets=(0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 900),
        )
        self.first_reply = Histogram(
            "egao_first_reply_seconds",
            "Time from a request to its first visible reply",
            registry=self.registry,
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 3),
        )
        self.waiting = Gauge("egao_waiting", "Requests accepted and not yet answered", registry=self.registry)
        self.lag = Histogram(
            "egao_loop_lag_seconds",
            "How long the event loop was held",
            registry=self.registry,
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1),
        )
        self.worst_lag = Gauge("egao_loop_lag_worst_seconds", "Longest hold of the event loop", registry=self.registry)
        self.shard_up = Gauge("egao_shard_connected", "Whether a connection to Discord stands", ["shard"], registry=self.registry)
        self.shard_latency = Gauge(
            "egao_shard_latency_seconds", "Time to Discord and back, of the last heartbeat", ["shard"], registry=self.registry
        )

    async def watch_loop(self) -> None:
        """Measure for ever how late the event loop is. Run it as a task."""
        worst = 0.0
        while True:
            due = time.monotonic() + LAG_EVERY
            await asyncio.sleep(LAG_EVERY)
            late = max(0.0, time.monotonic() - due)
            self.lag.observe(late)
            worst = max(worst, late)
            self.worst_lag.set(worst)


class HealthServer:
    """The server of both addresses on `host`, an address or name of this machine.

    `trouble` returns what is wrong, or None. Entering it raises BadSetting if the host and port can't be used.
    """

    def __init__(self, host: str, port: int, metrics: Metrics, trouble: Callable[[], str | None]) -> None:
        self._host, self._port = host, port
        self._metrics = metrics
        self._trouble = trouble
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/metrics", self._show_metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:  # a name that leads nowhere, an address of another machine, a port in use
            await self._runner.cleanup()
            raise BadSetting(name="EGAO_HTTP_HOST", reason=f"{self._host}, port {self._port}: {error.strerror}") from None
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def port(self) -> int:
        """The port in use; with port 0 (in tests) it is any free one."""
        assert self._runner is not None
        assert self._runner.addresses
        return int(self._runner.addresses[0][1])

    async def _healthz(self, _: web.Request) -> web.Response:
        trouble = self._trouble()
        return web.Response(text=trouble or "ok", status=503 if trouble else 200)

    async def _show_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
