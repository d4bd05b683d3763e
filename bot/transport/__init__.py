"""Talking to Discord: messages, interactions, downloads, retries."""
