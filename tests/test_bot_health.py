"""/healthz and /metrics: on loopback, with the truth."""

from __future__ import annotations

import asyncio
import time

import aiohttp

from bot.health import HealthServer, Metrics


async def test_healthz_says_what_is_wrong_and_metrics_count() -> None:
    metrics, trouble = Metrics(), ["not connected to Discord"]
    async with HealthServer(0, metrics, lambda: trouble[0] if trouble else None) as server, aiohttp.ClientSession() as http:
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
