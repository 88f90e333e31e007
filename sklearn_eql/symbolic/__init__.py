"""From sparse networks to laws: equations as data, canonical form, constants, SymPy, LaTeX."""
