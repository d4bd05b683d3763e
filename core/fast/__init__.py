"""The fast projection: a learned start, cheap steps through a preview head, a few exact ones; and how its parts are trained."""
