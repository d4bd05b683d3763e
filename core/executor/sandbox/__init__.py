"""What a worker may not do: the limits that it sets for itself before it loads anything."""
