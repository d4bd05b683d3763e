"""/healthz and /metrics: on loopback, with the truth."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest

from bot.ops.health import HealthServer, Metrics
from core.errors import BadSetting
from core.settings import Settings


async def test_healthz_says_what_is_wrong_and_metrics_count() -> None:
    metrics, trouble = Metrics(), ["not connected to Discord"]
    async with (
        HealthServer("127.0.0.1", 0, metrics, lambda: trouble[0] if trouble else None) as server,
        aiohttp.ClientSession() as http,
    ):
        base = f"http://127.0.0.1:{server.port}"
        async with http.get(f"{base}/healthz") as response:
            assert (response.status, await response.text()) == (503, "not connected to Discord")
        trouble.clear()
        async with http.get(f"{base}/healthz") as response:
            assert (response.status, await response.text()) == (200, "ok")
        metrics.jobs.labels("photo", "done").inc()
        async with http.get(f"{base}/metrics") as response:
            assert 'egao_jobs_total{kind="photo",outcome="done"} 1.0' in await response.text()


async def test_a_held_event_loop_is_seen() -> None:
    metrics = Metrics()
    watching = asyncio.create_task(metrics.watch_loop())
    await asyncio.sleep(0.05)
    time.sleep(0.5)  # noqa: ASYNC251 - the very thing that is to be noticed
    await asyncio.sleep(0.05)
    watching.cancel()
    worst = metrics.registry.get_sample_value("egao_loop_lag_worst_seconds")
    assert worst is not None
    assert worst > 0.15


def test_only_this_machine_is_served_unless_asked_for_more() -> None:
    assert Settings.load({}).http_host == "127.0.0.1"


async def test_another_address_serves_its_network_and_no_other() -> None:
    """All of 127.0.0.0/8 is this machine: two of its addresses stand for two networks."""
    async with HealthServer("127.0.0.2", 0, Metrics(), lambda: None) as server, aiohttp.ClientSession() as http:
        async with http.get(f"http://127.0.0.2:{server.port}/healthz") as response:
            assert await response.text() == "ok"
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(f"http://127.0.0.1:{server.port}/healthz")


async def test_an_address_that_cannot_be_listened_on_is_one_sentence() -> None:
    async with HealthServer("127.0.0.1", 0, Metrics(), lambda: None) as first:
        for host, port in (("127.0.0.1", first.port), ("no.such.host.invalid", 0), ("192.0.2.1", 0)):
            with pytest.raises(BadSetting, match=f"EGAO_HTTP_HOST.*{host}, port {port}: "):
                await HealthServer(host, port, Metrics(), lambda: None).__aenter__()
