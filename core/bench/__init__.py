"""Measurements of speed (`egao bench`), all alternatives in the same run: seconds depend on the machine, ratios less so."""
