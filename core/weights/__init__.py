"""Where the weights of every network come from, and where they are on this machine.

weight_path(settings, "landmarks")     # in `cache`: a file that `egao models pull` (core.pull) has brought and checked
"""
