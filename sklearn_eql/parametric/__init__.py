"""Laws with named constants, and their fit: constants that all rows share, or that every group has for itself."""
