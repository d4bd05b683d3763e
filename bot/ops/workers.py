"""Shows the executor in the metrics: what waits, and what the workers of each machine do. Read when the page is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.executor import Stats, WorkerStats

HERE: Final = "here"  # the label of this machine, beside the addresses of others
BY: Final = ["node", "device"]
GAUGES: Final[dict[str, tuple[str, Callable[[WorkerStats], float]]]] = {
    "egao_workers_ready": ("Workers that are ready", lambda worker: worker.state == "ready"),
    "egao_workers_missing": ("Workers that are starting or down", lambda worker: worker.state != "ready"),
    "egao_worker_requests": ("Requests that workers have in hand", lambda worker: worker.running),
}
COUNTERS: Final[dict[str, tuple[str, Callable[[WorkerStats], float]]]] = {
    "egao_worker_answers": ("Requests that workers have answered", lambda worker: worker.answered),
    "egao_worker_seconds": ("Seconds of work of these answers", lambda worker: worker.work_seconds),
    "egao_worker_restarts": ("Times that workers were started again", lambda worker: worker.restarts),
}


class Workers(Collector):
    """Collects the counters of an executor. A machine that leaves takes its series along."""

    def __init__(self, stats: Callable[[], Stats]) -> None:
        self._stats = stats

    def describe(self) -> list[Metric]:
        """List nothing: the executor need not have been started when this is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric as it is now."""
        stats = self._stats()
        waiting = GaugeMetricFamily("egao_lane_waiting", "Requests that wait for a worker", labels=["lane"])
        for lane, count in stats.waiting.items():
            waiting.add_metric([lane], count)
        yield waiting
        yield GaugeMetricFamily("egao_oldest_seconds", "Age of the oldest unfinished request", value=stats.oldest_seconds)
        places: dict[tuple[str, str], list[WorkerStats]] = {}
        for worker in stats.workers:
            places.setdefault((worker.site or HERE, worker.device), []).append(worker)
        for family, named in ((GaugeMetricFamily, GAUGES), (CounterMetricFamily, COUNTERS)):
            for name, (text, value) in named.items():
                metric = family(name, text, labels=BY)
                for place, workers in places.items():
                    metric.add_metric(list(place), _sum(value, workers))
                yield metric


def _sum(value: Callable[[WorkerStats], float], workers: Sequence[WorkerStats]) -> float:
    return float(sum(map(value, workers)))
