"""What the operator of the bot watches: health, metrics, logs."""
