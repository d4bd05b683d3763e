"""Measured targets reached in latent space: what the landmarker scores on a face, and the small change that sets it."""
