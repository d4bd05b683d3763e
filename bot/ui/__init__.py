"""What members see and press: pages (the layouts of messages), buttons, forms."""
