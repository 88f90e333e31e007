"""Exhaustive search: a library of functions on the rows, and every pair of them judged by matrix products."""
