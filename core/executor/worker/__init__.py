"""A worker: the process, its loop, and its workbench."""
