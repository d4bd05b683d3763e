"""Work in processes of its own: awaitable, cancellable, fair, and never able to take the bot down with it."""
