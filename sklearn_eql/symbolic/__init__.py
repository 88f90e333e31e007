"""From sparse networks to laws: equations as data, canonical form, constants, SymPy, LaTeX."""

from sklearn_eql.symbolic.canonical import canonicalize, free_mask, rescale, structure_key
from sklearn_eql.symbolic.code import to_code, to_function
from sklearn_eql.symbolic.complexity import complexity, equation_complexity
from sklearn_eql.symbolic.constants import Constant, candidates, recognise
from sklearn_eql.symbolic.equation import Affine, Equation, Frame, Unit
from sklearn_eql.symbolic.export import EquationModule, to_latex, to_sympy, to_torch_module
from sklearn_eql.symbolic.tidy import tidy

__all__ = [
    "Affine",
    "Constant",
    "Equation",
    "EquationModule",
    "Frame",
    "Unit",
    "candidates",
    "canonicalize",
    "complexity",
    "equation_complexity",
    "free_mask",
    "recognise",
    "rescale",
    "structure_key",
    "tidy",
    "to_code",
    "to_function",
    "to_latex",
    "to_sympy",
    "to_torch_module",
]
