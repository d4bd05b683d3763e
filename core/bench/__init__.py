"""Measurements of speed, every peer in the same run: `egao bench`. Seconds are this machine's; the ratios travel."""
