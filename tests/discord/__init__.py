"""A Discord for tests: a fake platform on loopback, and what points the real discord.py at it.

fake/       the platform: REST, gateway and CDN over a small world of servers, members and messages
patch.py    the one place that reaches into discord.py
launch.py   `python -m tests.discord.launch [module]`: run a bot's own entry point with that patch
process.py  start, watch, stop and restart such a bot as a process of its own
"""
