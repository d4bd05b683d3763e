"""What a worker may not do: the rules it puts itself under before it loads anything."""
