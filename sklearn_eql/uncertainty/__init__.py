"""How sure the constants of a law are, and its values: standard errors, intervals, profiles, errors on both axes."""
