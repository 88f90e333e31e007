"""Units as users write them."""

import sys
from fractions import Fraction

import pytest

from sklearn_eql.units.dimensions import written
from sklearn_eql.units.reading import check_reachable, read_units

SPEED = {"m": 1, "s": -1}


def test_exponents_are_dimensions_over_the_bases_that_occur():
    [units] = read_units({"v": SPEED, "t": {"s": 1}}, {"m": 1}, ["v", "t", "n"], 1)
    assert units.bases == ("m", "s")
    assert units.features == ((1, -1), (0, 1), (0, 0))
    assert units.target == (1, 0)


def test_a_sequence_goes_by_columns_and_a_target_may_be_unknown():
    [units] = read_units([SPEED, None], None, ["a", "b"], 1)
    assert units.features == ((1, -1), (0, 0))
    assert units.target is None


def test_several_outputs_have_units_of_their_own():
    first, second = read_units([SPEED], [{"m": 1}, {"K": Fraction(1, 2)}], ["v"], 2)
    assert written(first.target, first.bases) == "m"
    assert written(second.target, second.bases) == "K**(1/2)"


def test_text_is_read_by_pint_and_scales_do_not_matter():
    pytest.importorskip("pint")
    [units] = read_units({"v": "km/hour", "m": "g", "a": "rad"}, "J", ["v", "m", "a"], 1)
    [plain] = read_units({"v": SPEED, "m": {"kg": 1}}, {"kg": 1, "m": 2, "s": -2}, ["v", "m", "a"], 1)
    named = [dict(zip(u.bases, d, strict=True)) for u in (units, plain) for d in (*u.features, u.target)]
    assert [{k: v for k, v in d.items() if v} for d in named[:4]] == [
        {k: v for k, v in d.items() if v} for d in named[4:]
    ]


def test_text_without_pint_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pint", None)
    from sklearn_eql.units import reading

    reading._registry.cache_clear()
    with pytest.raises(ImportError, match=r"sklearn-eql\[units\]"):
        read_units({"v": "m/s"}, None, ["v"], 1)


@pytest.mark.parametrize(
    ("units", "y_unit", "message"),
    [
        ({"w": SPEED}, None, "'w' is no feature"),
        ([SPEED], None, "1 entries for 2 features"),
        (None, {"m": 1}, "without units"),
        ([{"m": "one"}, None], None, "exponent of 'm'"),
        ([SPEED, None], [SPEED, SPEED], "2 entries for 1 outputs"),
    ],
)
def test_mistakes_are_named(units, y_unit, message):
    with pytest.raises(ValueError, match=message):
        read_units(units, y_unit, ["v", "t"], 1)


def test_a_unit_that_does_not_parse_is_named():
    pytest.importorskip("pint")
    with pytest.raises(ValueError, match="'metrr'"):
        read_units({"v": "metrr"}, None, ["v"], 1)


def test_one_unit_for_all_is_no_sequence():
    with pytest.raises(TypeError, match="mapping"):
        read_units("m/s", None, ["v"], 1)


def test_what_no_law_can_have_is_said():
    [units] = read_units([SPEED], {"K": 1}, ["v"], 1, dimensionless_constants=True)
    with pytest.raises(ValueError, match="K is in none of the features"):
        check_reachable(units, "y")
    [free] = read_units([SPEED], {"K": 1}, ["v"], 1)
    check_reachable(free, "y")
