"""One law for many groups: which form, and which of its constants every group has for itself."""
