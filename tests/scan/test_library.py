"""The library: every entry has the values of the terms that stand for it, once for each function."""

import numpy as np
import pytest

from sklearn_eql.primitives import PRESETS, PRIMITIVES, Primitive
from sklearn_eql.scan.library import build
from sklearn_eql.sparse.editing import EditableStructure
from sklearn_eql.sparse.structure import Structure


@pytest.fixture
def rows():
    return np.random.default_rng(0).uniform(0.2, 2.0, (30, 2))


def library(rows, functions=None, limit=1500, units=(3.0, 0.5)):
    chosen = {name: PRIMITIVES[name] for name in PRESETS["default"]} if functions is None else functions
    signs = [int((column > 0).all()) - int((column < 0).all()) for column in rows.T]
    return build(rows, np.array(units), signs, range(rows.shape[1]), chosen, limit)


def values_of(terms, rows, primitives):
    """Values of a sum of terms in its gauge, up to a constant that logarithms have lost."""
    editable = EditableStructure(Structure(rows.shape[1], (), ()))
    editable.output = terms
    structure = editable.finish(primitives)
    return None if structure is None else structure.to_equation().evaluate(rows, primitives)


def _nodes(entries):
    editable = EditableStructure(Structure(2, (), ()))
    editable.output = [term for k in range(len(entries)) for term in entries.terms(k)]
    return editable.nodes()


def test_terms_have_the_values_of_their_entry_also_in_their_gauge(rows):
    entries = library(rows)
    assert len(entries) == 1500
    for k in range(0, len(entries), 7):
        wanted = entries.values[k] * entries.scales[k]
        found = values_of(entries.terms(k), rows, PRIMITIVES)
        shift = np.mean(wanted - found)  # what a logarithm has lost to its gauge is a constant of the output
        np.testing.assert_allclose(found + shift, wanted, rtol=1e-7, atol=1e-9 * np.abs(wanted).max())


def test_kinks_and_remainders_are_in_it_where_the_user_allows_them(rows):
    entries = library(rows, {name: PRIMITIVES[name] for name in ("mul", "min", "max", "mod", "abs", "floor")})
    for k in range(len(entries)):
        wanted = entries.values[k] * entries.scales[k]
        np.testing.assert_allclose(values_of(entries.terms(k), rows, PRIMITIVES), wanted, atol=1e-9)
    assert {node.primitive for node in _nodes(entries)} >= {"min", "max", "mod", "floor"}
    assert not {node.primitive for node in _nodes(library(rows))} & {"min", "max", "mod", "floor", "abs"}


def test_entries_differ_and_come_from_the_shortest_to_the_longest(rows):
    entries = library(rows)
    signed = entries.values * np.sign(entries.values[:, :1])
    assert len(np.unique(signed.round(10), axis=0)) == len(entries)
    assert (np.diff(entries.symbols) >= 0).all()
    assert entries.symbols[0] == 1


def test_only_functions_of_the_user_are_in_it(rows):
    entries = library(rows, {name: PRIMITIVES[name] for name in ("sin", "square")})
    assert {node.primitive for node in _nodes(entries)} == {"sin", "square"}


def test_a_function_that_the_user_brought_along_is_in_it(rows):
    import sympy
    import torch

    own = Primitive("erf", 1, torch.erf, sympy.erf, parity="odd")
    entries = library(rows, {"erf": own})
    assert any(
        np.allclose(value * scale, torch.erf(torch.from_numpy(3 * rows[:, 0])).numpy())
        for value, scale in zip(entries.values, entries.scales, strict=True)
    )


def test_another_function_by_a_known_name_is_not_taken_for_the_known_one(rows):
    import sympy
    import torch

    other = Primitive("mul", 2, torch.add, lambda a, b: sympy.Add(a, b))
    entries = library(rows, {"mul": other})
    product = rows[:, 0] * rows[:, 1]
    assert not any(abs(np.corrcoef(product, value)[0, 1]) > 1 - 1e-12 for value in entries.values)


def test_values_that_are_undefined_or_constant_are_left_out():
    rows = np.column_stack([np.linspace(-1, 1, 20), np.full(20, 2.0)])
    entries = library(rows, units=(1.0, 1.0))
    assert np.isfinite(entries.values).all()
    assert (np.ptp(entries.values, axis=1) > 0).all()
