"""Named settings of training: what is drawn, how large the network is, how long it learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sklearn_eql.language.datasets import Batch, ExpressionStream, HeldOut
from sklearn_eql.language.exact_rate import unseen
from sklearn_eql.language.grammar import Expression, Grammar
from sklearn_eql.language.network import NetworkConfig
from sklearn_eql.language.pretraining import Schedule

_TEST_SEED = 2**31  # no user's seed of training


@dataclass(frozen=True)
class Preset:
    """A task with its network and schedule.

    Attributes
    ----------
    stream : ExpressionStream
        What to learn from.
    schedule : Schedule
        How to train.
    test_tokens : (int, int)
        Shortest and longest expressions of the test set.
    """

    stream: ExpressionStream
    schedule: Schedule
    test_tokens: tuple[int, int]

    @property
    def config(self) -> NetworkConfig:
        """Sizes of the network."""
        grammar = self.stream.grammar
        return NetworkConfig(len(self.stream.vocabulary), grammar.n_variables, self.stream.max_tokens)

    def test_set(self, n_expressions: int = 500) -> Batch:
        """Expressions that `training_stream` never draws; the first ones of a larger set are the smaller set."""
        return unseen(self.stream, n_expressions, *self.test_tokens, seed=_TEST_SEED)

    def training_stream(self, test: Batch, seed: int, skeletons: tuple[Expression, ...] = ()) -> ExpressionStream:
        """The stream without the functions of a test set, and without some skeletons."""
        held_out = HeldOut.of(self.stream.grammar.n_variables, test.expressions, skeletons)
        return replace(self.stream, seed=seed, held_out=held_out)


PRESETS: Mapping[str, Preset] = {
    # One variable and integers, as in the workshop of Moseley (2025).
    "integers-1d": Preset(ExpressionStream(Grammar()), Schedule(n_steps=40_000), (3, 12)),
}
"""Presets by name."""
