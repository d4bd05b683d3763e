"""Reaching given scores in latent space: the small change of a latent that changes the landmarker's scores as wanted."""
