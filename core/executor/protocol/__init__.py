"""How the bot's process and a worker talk: the messages, their bytes, and the link that carries them."""
