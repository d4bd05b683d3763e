"""The part of egao that works offline: a photo in, the same face with another expression out. Knows nothing of Discord."""
