"""Structures as a search proposes them, their translation into equations, and their edits."""

from random import Random

import numpy as np
import pytest

from sklearn_eql.primitives import PRESETS, PRIMITIVES, Primitive
from sklearn_eql.search.mutations import Proposer
from sklearn_eql.sparse.editing import EditableStructure, Node, smaller, without_terms
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import SparseUnit, Structure
from sklearn_eql.symbolic.canonical import free_mask

X = np.random.default_rng(0).uniform(0.5, 2, (30, 3))


def problem(signed=True, copies=PRESETS["default"]):
    rows = X if signed else X - 1.2
    target = rows[:, 0] * rows[:, 1] + rows[:, 2]
    return make_problem(rows, target, None, Scaling.of(rows, target, False), PRIMITIVES, dict(copies), 3, 256, 0)


def random_structures(seed, count=40, **options):
    """Structures as a search would propose them: random ones, and mutations of them."""
    proposer = Proposer(problem(**options), Random(seed))
    found = [proposer.linear()]
    while len(found) < count:
        if len(found) < count // 2:
            structure = proposer.random(1 + len(found) % 3)
        else:
            i, j = proposer.rng.choices(range(len(found)), k=2)
            structure = proposer.mutate(found[i], found[j])
        if structure is not None:
            found.append(structure)
    return found


def test_structures_and_equations_translate_into_each_other():
    for structure in random_structures(3):
        equation = structure.to_equation()
        free = np.array([free for form in structure.forms() for _, _, free in form])
        assert Structure.from_equation(equation, free) == structure
        coefficients = np.array([c for form in structure.forms() for _, c, _ in form])
        np.testing.assert_array_equal(equation.coefficients(), coefficients)
        inner = [c for form in structure.forms()[:-1] for _, c, is_free in form if is_free]
        outer = [c for _, c, is_free in structure.output if is_free]
        assert structure.with_coefficients(inner, outer) == structure
        assert structure.n_free == len(inner) + len(outer)


def test_the_key_ignores_free_coefficients_and_nothing_else():
    def sine(inner, outer, source=1):
        return Structure(3, (SparseUnit("sin", (((source, inner, True),),)),), ((4, outer, True),))

    assert sine(1.0, 2.0).key == sine(3.0, 4.0).key
    assert sine(1.0, 2.0).key != sine(1.0, 2.0, source=2).key


def test_a_logarithm_of_a_feature_counts_as_an_input():
    power = Structure(
        3,
        (SparseUnit("log", (((1, 1.0, False),),)), SparseUnit("exp", (((4, 1.5, True),),))),
        ((5, 1.0, True),),
    )
    assert power.depths == (0, 1)
    of_sum = SparseUnit("log", (((1, 1.0, False), (2, 1.0, True)),))
    assert Structure(3, (of_sum,), ((4, 1.0, True),)).depths == (1,)


def test_proposals_respect_depth_copies_and_vocabulary():
    copies = {"sin": 1, "mul": 2}
    for structure in random_structures(5, count=80, copies=copies):
        assert max(structure.depths, default=0) <= 3
        layers = [(unit.primitive, depth) for unit, depth in zip(structure.units, structure.depths, strict=True)]
        for name, depth in layers:
            assert layers.count((name, depth)) <= copies[name]


def test_power_laws_are_proposed_over_features_of_one_sign_only():
    names = {
        unit.primitive
        for s in random_structures(6, count=60, signed=False, copies={"pow": 1, "mul": 1})
        for unit in s.units
    }
    assert "log" not in names
    names = {unit.primitive for s in random_structures(6, count=60, copies={"pow": 1, "mul": 1}) for unit in s.units}
    assert "log" in names


def test_constant_columns_are_never_proposed():
    rows = X.copy()
    rows[:, 1] = 5.0
    constant = make_problem(
        rows, rows[:, 0], None, Scaling.of(rows, rows[:, 0]), PRIMITIVES, dict(PRESETS["default"]), 2, 256, 0
    )
    proposer = Proposer(constant, Random(0))
    structures = [proposer.linear(), *(proposer.random(2) for _ in range(50))]
    sources = {s for structure in structures if structure for form in structure.forms() for s, _, _ in form}
    assert {1, 3} <= sources
    assert 2 not in sources


def structure_of_two():
    """``3*sin(2*x0 + 1) + 4*x1*x2 + 5``."""
    sine = SparseUnit("sin", (((0, 1.0, True), (1, 2.0, True)),))
    product = SparseUnit("mul", (((2, 1.0, False),), ((3, 1.0, False),)))
    return Structure(3, (sine, product), ((0, 5.0, True), (4, 3.0, True), (5, 4.0, True)))


def test_removing_a_term_of_the_output_removes_the_unit_it_read():
    left = without_terms(structure_of_two(), [(3, 1)], PRIMITIVES)
    assert [unit.primitive for unit in left.units] == ["mul"]
    assert left.output == ((0, 5.0, True), (4, 4.0, True))


def test_removing_a_term_of_an_argument_keeps_the_rest():
    left = without_terms(structure_of_two(), [(0, 0)], PRIMITIVES)
    assert left.units[0].args == (((1, 2.0, True),),)
    assert left.size == structure_of_two().size - 1


def test_nothing_is_left_when_every_term_goes():
    assert without_terms(Structure(3, (), ((1, 2.0, True),)), [(0, 0)], PRIMITIVES) is None


def test_smaller_structures_are_smaller_and_lack_one_term_each():
    for structure in random_structures(7, count=30):
        for child in smaller(structure, PRIMITIVES):
            assert child.size < structure.size
            assert child.n_features == structure.n_features
    assert len(smaller(structure_of_two(), PRIMITIVES)) == 7


@pytest.mark.parametrize("seed", [0, 1])
def test_finishing_a_editable_only_rescales_what_its_consumers_can_undo(seed):
    """A finished structure is in its gauge, and finishing it again changes nothing."""
    for structure in random_structures(seed):
        again = EditableStructure(structure).finish(PRIMITIVES)
        assert again == structure
        for unit in structure.units:
            for slot, arg in enumerate(unit.args):
                fixed = [c for _, c, free in arg if not free]
                assert all(abs(c) == 1 for c in fixed)
                if PRIMITIVES[unit.primitive].degree[slot] is not None:
                    assert len(fixed) == 1


def test_exponentials_carry_no_constant_term():
    editable = EditableStructure(
        Structure(3, (SparseUnit("exp", (((0, 1.0, True), (1, 2.0, True)),)),), ((4, 3.0, True),))
    )
    assert editable.finish(PRIMITIVES).units[0].args == (((1, 2.0, True),),)


def gauged(name, *args, primitives=PRIMITIVES):
    """The arguments of a unit that is the whole law, finished."""
    return (
        EditableStructure(Structure(3, (SparseUnit(name, args),), ((4, 3.0, True),))).finish(primitives).units[0].args
    )


def test_the_scale_of_a_base_is_a_parameter_where_the_exponent_varies():
    base = ((1, 2.0, True),)
    assert gauged("pow", base, ((0, 1.5, True),))[0] == ((1, 1.0, False),)
    assert gauged("pow", base, ((2, 1.5, True),))[0] == base  # (2*x)**y is x**y times what is no constant


@pytest.mark.parametrize("name", ["exp", "log"])
def test_a_function_of_the_users_own_keeps_what_only_the_built_in_one_of_that_name_can_move(name):
    bell = Primitive(name, 1, lambda g: 1 / (1 + g * g), lambda g: 1 / (1 + g**2))
    argument = ((0, 1.5, True), (1, 2.0, True))
    assert gauged(name, argument, primitives={**PRIMITIVES, name: bell}) == (argument,)
    assert gauged(name, argument) != (argument,)


def test_the_gauge_keeps_the_sign_where_the_domain_asks_for_it():
    root = Structure(3, (SparseUnit("sqrt", (((0, 3.0, True), (1, -2.0, True)),)),), ((4, 1.0, True),))
    finished = EditableStructure(root).finish(PRIMITIVES)
    assert finished.units[0].args == (((0, 1.5, True), (1, -1.0, False)),)


def test_free_coefficients_of_structures_are_those_of_canonical_equations():
    for structure in random_structures(8, count=30):
        equation = structure.to_equation()
        gauged = np.array([free for form in structure.forms() for _, _, free in form])
        assert (gauged | ~free_mask(equation, PRIMITIVES)).all()


def test_a_coefficient_of_zero_has_no_scale_to_take_out():
    editable = EditableStructure(Structure(1, (), ()))
    editable.output = [[Node("inv", [[[1, np.float64(0.0)]]]), 1.0]]
    assert editable.finish(PRIMITIVES).output == ((2, 1.0, True),)


def test_functions_that_laws_seldom_have_cost_a_symbol_more():
    laws = [Structure(1, (SparseUnit(name, (((1, 1.0, True),),)),), ((2, 1.0, True),)) for name in ("sin", "arcsin")]
    sine, arcsine = (law.n_symbols for law in laws)
    assert arcsine == sine + 1
