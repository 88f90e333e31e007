"""Torch modules: dense EQL networks, recurrent cells, encoders, and the penalties that make them sparse."""
