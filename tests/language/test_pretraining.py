"""Training: it learns, and a run that was cut goes on to the bit."""

import time

import pytest
import torch

from sklearn_eql.language.datasets import ExpressionStream, SavedExpressions
from sklearn_eql.language.grammar import Grammar
from sklearn_eql.language.network import NetworkConfig
from sklearn_eql.language.pretraining import Schedule, identity_of, pretrain
from sklearn_eql.stopping import Deadline, StopReason
from sklearn_eql.training.checkpoint import Checkpoint

STREAM = ExpressionStream(Grammar(max_binary=1, max_unary=1), batch_size=16, n_rows=16)
VOCABULARY = STREAM.vocabulary
CONFIG = NetworkConfig(len(VOCABULARY), max_tokens=8, width=32, n_heads=2, n_latents=4, n_layers=1)


def run(schedule, source=STREAM, **options):
    return pretrain(source, VOCABULARY, CONFIG, schedule, **options)


def test_the_loss_falls_on_a_corpus_that_is_learnt_by_heart():
    source = SavedExpressions(STREAM.batch(0), batch_size=16)
    schedule = Schedule(n_steps=60, learning_rate=5e-3, n_warmup=10, log_every=10, rate_every=60, n_beams=4)
    found = run(schedule, source, test=STREAM.batch(0))
    losses = [entry["loss"] for entry in found.curves if "loss" in entry]
    assert len(losses) == 6
    assert losses[-1] < 0.3 * losses[0]
    assert found.reason == StopReason.SCHEDULE
    last = found.curves[-1]
    assert (last["step"], last["expressions"]) == (60, 960)
    assert last["best"] >= last["first"] > 0.5


def test_a_run_that_was_cut_goes_on_to_the_bit(tmp_path):
    schedule = Schedule(n_steps=8, log_every=3)
    whole = run(schedule)

    path, identity = tmp_path / "run.pt", identity_of(CONFIG, schedule, batch_size=16)
    first = Checkpoint(path, identity)
    source = CutStream(STREAM, after=5)
    cut = run(schedule, source, checkpoint=first, deadline=source)
    assert cut.reason == StopReason.INTERRUPTED
    again = run(schedule, checkpoint=Checkpoint(path, identity))

    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name]), name
    assert [e["loss"] for e in again.curves] == [e["loss"] for e in whole.curves]
    assert again.curves[-1]["seconds"] > 0


class CutStream:
    """A source that is also a deadline: it asks to end after some batches."""

    def __init__(self, stream, after):
        self.stream, self.left = stream, after

    def batch(self, number):
        self.left -= 1
        return self.stream.batch(number)

    @property
    def passed(self):
        return StopReason.INTERRUPTED if self.left <= 0 else None


def test_a_checkpoint_of_another_schedule_is_refused(tmp_path):
    schedule = Schedule(n_steps=1)
    run(schedule, checkpoint=Checkpoint(tmp_path / "run.pt", identity_of(CONFIG, schedule)))
    with pytest.raises(ValueError, match=r"differs in n_steps \('1', now '2'\)"):
        Checkpoint(tmp_path / "run.pt", identity_of(CONFIG, Schedule(n_steps=2)))


def test_time_that_is_over_ends_training():
    found = run(Schedule(n_steps=10), deadline=Deadline(time.time() - 1))
    assert found.reason == StopReason.MAX_TIME
    assert found.curves == []


def test_the_learning_rate_rises_then_falls_to_zero():
    schedule = Schedule(n_steps=110, learning_rate=1.0, n_warmup=10)
    assert schedule.rate_at(0) == pytest.approx(0.1)
    assert schedule.rate_at(10) == pytest.approx(1.0)
    assert schedule.rate_at(60) == pytest.approx(0.5)
    assert schedule.rate_at(110) == pytest.approx(0.0, abs=1e-12)


def test_products_may_be_in_bfloat16():
    found = run(Schedule(n_steps=2, log_every=1), mixed=True)
    assert all(0 < entry["loss"] < 10 for entry in found.curves)
    assert all(p.dtype == torch.float32 for p in found.network.parameters())
