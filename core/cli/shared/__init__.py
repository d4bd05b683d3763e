"""What several commands share: their options, folders, kept faces, progress bars, and the edit of one photo."""
