"""How the bot's process and a worker communicate: the messages, their bytes, and the link that carries them."""
