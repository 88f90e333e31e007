"""Training of batched EQL networks: phases, the loop, pruning, refinement."""
