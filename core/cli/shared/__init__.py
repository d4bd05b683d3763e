"""What several commands share: options, folders, kept faces, progress bars, and the edit of one photo."""
