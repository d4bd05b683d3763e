"""The families of generators: a module each, named as the family, with its networks and a `FAMILY`."""
