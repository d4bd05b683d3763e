"""Workers on other machines: a fleet of nodes over Ray, behind the same link as a worker process of this machine.

    bot --socket-- bridge --Ray-- keeper --socket-- worker
         (sealed)         (sealed)       (this node alone)

Ray is imported in `bridge` and, by Ray itself, around `keeper`, which are processes of their own: the bot never loads it.
"""

from __future__ import annotations

from core.cluster.fleet import Cluster
from core.cluster.identity import Identity
from core.cluster.node import need_ray
from core.settings import Settings

__all__ = ["Cluster", "Identity", "cluster_of"]


def cluster_of(settings: Settings) -> Cluster | None:
    """Make the fleet that EGAO_CLUSTER names; None where it is empty. Reads the weights through.

    Raises ClusterExtraMissing, BadSetting where the secret is missing, and what `Identity.of` raises.
    """
    if not settings.cluster:
        return None
    need_ray()
    return Cluster(settings, Identity.of(settings))
