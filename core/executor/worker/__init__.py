"""A worker: the process, its loop, and what it works with."""
