"""Communication with Discord: messages, interactions, downloads, retries."""
