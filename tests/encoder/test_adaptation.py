"""Which of the laws behind an encoder is taken: the simplest that an encoder adapted to it makes nearly as good."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from sklearn_eql.encoder.adaptation import Candidate, LawChoice
from sklearn_eql.laws.law import Law
from sklearn_eql.symbolic.equation import Equation, Unit

SUM = Equation(2, (), ((1, 1.0), (2, 1.0)))
WAVES = Equation(2, (Unit("sin", (((1, 1.0),),)), Unit("sin", (((2, 1.0),),))), ((3, 1.0), (4, 1.0)))
FIRST_ONLY = Equation(2, (), ((1, 1.0),))
CONSTANT = Equation(2, (), ((0, 1.0),))


def law(equation, loss):
    complexity = 1 + len(equation.output) + 2 * len(equation.units)
    return Law(equation, loss, loss, 1e-24, complexity, n_free=2, n_symbols=complexity, trial=0)


class Choice(LawChoice):
    """Encoders adapt in no time, to an error that is given for each law."""

    def __init__(self, errors):
        super().__init__(SimpleNamespace(rows=range(1000), settings=SimpleNamespace(tolerance=1.1, schedule=())))
        self.errors, self.names = errors, []

    def adapted(self, candidate, n_steps=None):
        self.names.append(candidate.name)
        return replace(candidate, error=self.errors[candidate.law.equation])


@pytest.mark.parametrize(("error", "chosen"), [(1.05, SUM), (1.5, WAVES)], ids=["as good", "worse"])
def test_a_simpler_law_is_taken_if_its_own_encoder_makes_it_nearly_as_good(error, chosen):
    choice = Choice({SUM: error, WAVES: 1.0})
    found = choice.choose("head", [law(SUM, 0.2), law(WAVES, 0.01)], {})
    assert found.law.equation == chosen
    assert set(choice.names) == {"head 0", "head 1"}


def test_a_law_that_is_as_good_already_needs_no_adaptation():
    choice = Choice({})
    assert choice.choose("head", [law(SUM, 0.0101), law(WAVES, 0.01)], {}).law.equation == SUM
    assert choice.names == []


def test_laws_that_miss_an_item_are_not_compared():
    choice = Choice({})
    laws = [law(CONSTANT, 1.0), law(FIRST_ONLY, 0.5), law(WAVES, 0.01)]
    found = choice.choose("head", laws, {})
    assert found.law.equation == WAVES
    assert [other.equation for other in found.others] == [FIRST_ONLY, WAVES]
    assert choice.names == []


@pytest.mark.parametrize(("error", "chosen"), [(1.05, SUM), (1.5, WAVES)], ids=["as good", "worse"])
def test_of_the_linear_form_and_the_dense_head_the_simpler_one_is_preferred(error, chosen):
    choice = Choice({SUM: error, WAVES: 1.0})
    linear, dense = (Candidate(law(equation, 0.1), {}, "any") for equation in (SUM, WAVES))
    assert choice.simpler(linear, dense).law.equation == chosen
