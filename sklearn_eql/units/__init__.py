"""Physical units: dimensions as vectors of rational numbers, what they admit, and the numbers without units in them."""
