"""The search for the laws of one target: islands, evolution of structures, trials of dense networks."""
