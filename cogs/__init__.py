"""One thin file per surface that members and admins touch. No pictures or tensors are handled here."""
