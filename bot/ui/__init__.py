"""What members see and press: pages, buttons, forms."""
