"""Sparse EQL networks: structures, batches of them, their exact fit, and what is kept of them."""
