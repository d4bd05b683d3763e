"""Every sentence of the bot, in every language."""
