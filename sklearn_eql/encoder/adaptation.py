"""Which law an encoder is trained with: laws of its latents, judged with the encoder adapted to each."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import torch
from torch import nn

from sklearn_eql._threads import single_threaded
from sklearn_eql.encoder.latent_laws import find_laws, law_of_head, symmetric, variables
from sklearn_eql.encoder.stages import LATENT_ROWS, Training
from sklearn_eql.encoder.tied_coefficients import Ties
from sklearn_eql.laws.law import Law, law_from_record
from sklearn_eql.laws.selection import select
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.training.minibatch import Plan
from sklearn_eql.training.records import Status

_SEARCH_SECONDS = 60.0  # at most, for laws of one set of latents: encoders take minutes; not tuned
_ADAPTATION_STEPS = 300  # at most, for each law that is tried
_LAWS_SHARE = 0.55  # of max_time, after which the search for laws ends


@dataclass(frozen=True)
class Candidate:
    """A law with the encoder it was found with, or one adapted to it."""

    law: Law
    state: dict[str, torch.Tensor]
    name: str
    error: float | None = None  # mean loss on the held-out samples, once adapted
    others: tuple[Law, ...] = ()  # of the same latents


class LawChoice:
    """Finds laws behind encoders and compares them; everything that takes long is a stage of the training."""

    def __init__(self, training: Training) -> None:
        self.training = training

    def laws(self, name: str, head: Equation, state: Mapping[str, torch.Tensor]) -> list[Law]:
        """Laws of the latents that encoder and head ended with, by complexity; `name` is that of the stage."""
        t = self.training

        def work() -> list[dict]:
            model = t.model(nn.Identity(), state)
            rows = t.some(t.rows, LATENT_ROWS)
            latents, y = t.latents(model, rows), t.y[rows]
            found: list[Law] = []
            try:
                if not self.out_of_time():
                    deadline = min(t.until(_LAWS_SHARE), time.time() + _SEARCH_SECONDS)
                    with single_threaded():
                        found, t.watch.interrupted = find_laws(
                            head, latents, y, t.settings.search, t.seeds.search, deadline, t.watch.flag
                        )
            except KeyboardInterrupt:
                t.watch.interrupted = True
            if t.watch.interrupted:
                t.checkpoint.close()  # a fit that is taken up again searches in full
            if not any(variables(law.equation) for law in found):  # a constant is no start for an encoder
                found = [law for law in [law_of_head(head, latents, y, t.settings.search)] if law is not None]
            return [_plain(law) for law in found]

        return [law_from_record(record) for record in t.checkpoint.stage(name, work)]

    def out_of_time(self) -> bool:
        """Whether there is no time for further laws."""
        return self.training.watch.is_interrupted() or time.time() > self.training.until(_LAWS_SHARE)

    def ties(self, law: Law, state: Mapping[str, torch.Tensor]) -> Ties:
        """Symmetries of a law on the latents."""
        t = self.training
        rows = t.some(t.rows, LATENT_ROWS)
        latents = t.latents(t.model(nn.Identity(), state), rows)
        return symmetric(law.equation, latents, t.y[rows], t.settings.search.primitives, delta=t.delta)

    def choose(self, source: str, laws: list[Law], state: Mapping[str, torch.Tensor]) -> Candidate:
        """The simplest law that an encoder adapted to it makes as good as the law of shortest description.

        An encoder can absorb what a simpler law leaves out: behind arcsine-shaped latents and a sum of sines (Appendix
        D) there is the sum of latents that are linear in the digit. So laws are compared after the encoder was trained
        with each for a while, by their error on held-out samples.

        Parameters
        ----------
        source : str
            What the laws come from; names the stages.
        """
        t = self.training
        laws = [law for law in laws if variables(law.equation)] or laws
        preferred = select("best", laws, len(t.rows), None)
        best = Candidate(laws[preferred], dict(state), f"{source} {preferred}", others=tuple(laws))
        needed = variables(best.law.equation)
        for index, law in enumerate(laws[:preferred]):
            if variables(law.equation) == needed:
                candidate = replace(best, law=law, state=dict(state), name=f"{source} {index}", error=None)
                if law.level <= t.settings.tolerance * best.law.level:
                    return candidate
                best, candidate = self.adapted(best), self.adapted(candidate)
                if candidate.error <= t.settings.tolerance * best.error:
                    return candidate
        return best

    def simpler(self, linear: Candidate, dense: Candidate) -> Candidate:
        """The simpler of two laws if it is nearly as good with its own encoder, else the other.

        That of the linear form is trained for as long as the dense head was, which the other comes from.
        """
        t = self.training
        linear = self.adapted(replace(linear, error=None), sum(phase.n_steps for phase in t.settings.schedule))
        first, second = sorted([linear, self.adapted(dense)], key=lambda c: c.law.complexity)
        return first if first.error <= t.settings.tolerance * second.error else second

    def adapted(self, candidate: Candidate, n_steps: int | None = None) -> Candidate:
        """The candidate with an encoder trained with its law for a while, and its error on the held-out samples.

        For `n_steps`, or a few of those that the law will be trained for.
        """
        t = self.training
        if candidate.error is not None:
            return candidate
        law, name = candidate.law, f"{candidate.name}, adapted" + (" further" if n_steps else "")

        def work() -> dict:
            ties = Ties.none(law.equation, t.settings.search.primitives)
            model = t.law_model(law.equation, ties, candidate.state)
            before = {key: value.clone() for key, value in model.state_dict().items()}
            error_before = t.error(model)
            steps = n_steps or min(_ADAPTATION_STEPS, t.settings.max_iter)
            plan = Plan(steps, t.settings.learning_rate, average=True, **t.means)
            run = t.descend(model, plan, name, t.rows, 0.0, _LAWS_SHARE)
            if run.status is not Status.DIVERGED:
                t.calibrate(model, t.rows)
            outcome = {**t.outcome(model, run), "error": t.error(model)}
            # Laws with steep functions may lose by training at this rate.
            return outcome if outcome["error"] < error_before else {**outcome, "model": before, "error": error_before}

        outcome = t.checkpoint.stage(name, work)
        t.count(outcome)
        head = t.law_model(law.equation, Ties.none(law.equation, t.settings.search.primitives), {}).head
        head.load_state_dict({n.removeprefix("head."): v for n, v in outcome["model"].items() if n.startswith("head.")})
        moved = replace(law, equation=head.equation())
        return replace(candidate, law=moved, state=outcome["model"], error=outcome["error"])


def _plain(law: Law) -> dict:
    record = asdict(law)
    return {key: float(value) if isinstance(value, float) else value for key, value in record.items()}
