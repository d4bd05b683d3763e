"""A request from the moment it is accepted to its one answer."""
