"""The Discord bot: start-up, language, replies, downloads, health. The work itself is in core."""
