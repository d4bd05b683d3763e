"""Sets up a machine: what `make` runs before anything of egao can be imported. Needs nothing but Python."""
