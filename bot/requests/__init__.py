"""A request from its acceptance to its only answer."""
