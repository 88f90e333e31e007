"""Named settings of training: what is drawn, how large the network is, how long it learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sklearn_eql.language.datasets import Batch, ExpressionStream, HeldOut, Source
from sklearn_eql.language.exact_rate import Judge, same_form, same_values, unseen
from sklearn_eql.language.grammar import Expression, Grammar
from sklearn_eql.language.laws import LawStream, unseen_laws
from sklearn_eql.language.network import NetworkConfig
from sklearn_eql.language.open_form import form_of
from sklearn_eql.language.pretraining import Schedule
from sklearn_eql.language.tokens import Vocabulary

_TEST_SEED = 2**31  # no user's seed of training


@dataclass(frozen=True)
class Preset:
    """One variable and integers, as in the workshop of Moseley (2025), with a network and a schedule.

    Attributes
    ----------
    stream : ExpressionStream or LawStream
        What to learn from.
    schedule : Schedule
        How to train.
    test_tokens : (int, int)
        Shortest and longest expressions of the test set.
    """

    stream: ExpressionStream | LawStream
    schedule: Schedule
    test_tokens: tuple[int, int]

    @property
    def vocabulary(self) -> Vocabulary:
        """Tokens of its expressions."""
        return self.stream.vocabulary

    @property
    def config(self) -> NetworkConfig:
        """Sizes of the network."""
        return NetworkConfig(len(self.vocabulary), self.vocabulary.n_variables, self.stream.max_tokens)

    @property
    def judge(self) -> Judge:
        """What counts as right: the values."""
        return same_values

    def test_set(self, n_expressions: int = 500) -> Batch:
        """Expressions that `training_stream` never draws; the first ones of a larger set are the smaller set."""
        return unseen(replace(self.stream, n_views=1), n_expressions, *self.test_tokens, seed=_TEST_SEED)

    def training_stream(
        self, test: Batch, seed: int, skeletons: Sequence[Expression] = (), batch_size: int | None = None
    ) -> Source:
        """The stream without what a test set holds out (`held_out`), and without some skeletons."""
        held_out = self.held_out(test.expressions, skeletons)
        return replace(self.stream, seed=seed, held_out=held_out, batch_size=batch_size or self.stream.batch_size)

    def held_out(self, tested: Sequence[Expression], skeletons: Sequence[Expression]) -> HeldOut:
        """The functions of some expressions, and the skeletons of others."""
        return HeldOut.of(self.vocabulary.n_variables, tested, skeletons)


@dataclass(frozen=True)
class LawsPreset(Preset):
    """Several variables, real constants and noise."""

    @property
    def config(self) -> NetworkConfig:
        """Sizes of the network."""
        return replace(super().config, width=160, n_heads=5, n_layers=4, n_latents=32)

    @property
    def judge(self) -> Judge:
        """What counts as right: the form, since constants are fitted afterwards."""
        return same_form

    def test_set(self, n_expressions: int = 500) -> Batch:
        """Laws without noise, of up to three variables, whose forms `training_stream` never draws."""
        few = replace(self.stream, max_noise=0.0, shares=(1.0, 1.0, 1.0, *(0.0 for _ in self.stream.shares[3:])))
        return unseen_laws(few, n_expressions, *self.test_tokens, seed=_TEST_SEED)

    def held_out(self, tested: Sequence[Expression], skeletons: Sequence[Expression]) -> HeldOut:
        """The open forms of all these expressions, whose numbers do not count."""
        return HeldOut(skeletons=frozenset(form_of(expression) for expression in (*tested, *skeletons)))


def _grammar(n_variables: int) -> Grammar:
    return Grammar(
        n_variables,
        min_binary=n_variables - 1,
        max_binary=n_variables + 3,
        max_unary=4 if n_variables < 3 else 3,
        integer_share=0.2,
    )


PRESETS: Mapping[str, Preset] = {
    "integers-1d": Preset(ExpressionStream(Grammar(), n_views=2), Schedule(n_steps=40_000), (3, 12)),
    "laws": LawsPreset(
        LawStream(tuple(map(_grammar, range(1, 6))), (2.5, 2.5, 2.5, 2.5, 2.5)), Schedule(n_steps=40_000), (3, 20)
    ),
}
"""Presets by name."""
