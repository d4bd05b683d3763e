"""The part of egao that works offline: it edits the expression of a face in a photo. It knows nothing of Discord."""
