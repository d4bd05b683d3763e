"""One small file for each surface that members and admins use. Pictures and tensors are not handled here."""
