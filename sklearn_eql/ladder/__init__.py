"""Families of laws, tried simplest first before the general search."""
