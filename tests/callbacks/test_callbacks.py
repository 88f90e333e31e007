"""What watches a fit."""

import csv
import logging
import math

import pytest
import sympy

from sklearn_eql.callbacks import CSVRecord, Progress, ProgressDisplay, StopWhen, TensorBoardRecord
from sklearn_eql.progress import StopFit, Watched
from sklearn_eql.stopping import StopReason


class Fitted:
    """What an estimator shows after a fit."""

    sympy_expr_ = 2 * sympy.Symbol("x0")
    stop_reason_ = "exact"


def test_all_watchers_are_told_before_one_of_them_ends_the_fit():
    seen = []
    watched = Watched([lambda progress: progress.loss < 0.1, seen.append])
    watched("generation", 0.5, 1)
    with pytest.raises(StopFit):
        watched("generation", 0.05, 2)
    assert [progress.step for progress in seen] == [1, 2]
    assert watched.stopped


def test_a_law_is_written_only_for_those_who_read_it():
    calls = []
    progress = Progress("generation", 0.5, tell=lambda: calls.append(1) or "x0")
    assert not calls
    assert (progress.law, calls) == ("x0", [1])
    assert Progress("generation", 0.5).law == ""


def test_a_fit_ends_by_a_condition_of_ones_own():
    assert StopWhen(lambda progress: progress.step > 3)(Progress("generation", 1.0, step=4))
    patient = StopWhen(loss=0.1, min_seconds=2)
    assert not patient(Progress("generation", 0.05, seconds=1))
    assert patient(Progress("generation", 0.05, seconds=3))
    with pytest.raises(ValueError, match="needs a condition, a loss, or both"):
        StopWhen()


def test_a_record_has_a_line_for_every_report(tmp_path):
    record = CSVRecord(tmp_path / "fit.csv")
    for _ in range(2):  # the second fit begins anew
        record.begin(None)
        record(Progress("quotient", 0.5, seconds=1.0, tell=lambda: "x0"))
        record(Progress("generation", 0.25, step=3, seconds=2.0, output=1, tell=lambda: "x0 + 1, or so"))
        record(Progress("generation", 0.25, step=4, seconds=3.0, output=1, tell=lambda: pytest.fail("same loss")))
    with (tmp_path / "fit.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["stage"] for row in rows] == ["quotient", "generation", "generation"]
    assert [row["law"] for row in rows] == ["x0", "x0 + 1, or so", "x0 + 1, or so"]
    assert (rows[1]["seconds"], rows[1]["output"], rows[1]["step"], float(rows[1]["loss"])) == ("2.000", "1", "3", 0.25)


def test_tensorboard_gets_the_losses(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    record = TensorBoardRecord(tmp_path)
    record.begin(None)
    record(Progress("generation", 0.25, step=3))
    record.end(Fitted())
    assert any(tmp_path.iterdir())


def test_lines_are_for_logs(capsys):
    display = ProgressDisplay(live=False)
    display.begin(Fitted())
    display(Progress("quotient", 0.5, seconds=1.0, left=9.0, tell=lambda: "x0"))
    display(Progress("generation", 0.4, step=1, seconds=1.1))  # too early, and hardly better
    display(Progress("generation", 0.01, step=2, n_steps=60, seconds=1.2, left=math.inf))
    display.end(Fitted())
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "[sklearn_eql] Fitted: quotient: loss 0.5, 1.0 of 10 s: x0",
        "[sklearn_eql] Fitted: generation, step 2 of 60: loss 0.01, 1.2 s",
        "[sklearn_eql] Fitted: 2*x0",
        "[sklearn_eql] Fitted: ended: a law fits all rows to rounding",
    ]


def test_a_log_that_is_set_up_gets_the_lines(caplog, capsys):
    with caplog.at_level(logging.INFO, logger="sklearn_eql"):
        display = ProgressDisplay(live=False)
        display.begin(Fitted())
        display(Progress("quotient", 0.5))
        display.end(Fitted())
    assert [record.name for record in caplog.records] == ["sklearn_eql"] * 3
    assert not capsys.readouterr().err


def test_a_live_line_goes_away(capsys):
    pytest.importorskip("rich", reason="rich is not installed")
    display = ProgressDisplay(live=True)
    display.begin(Fitted())
    display(Progress("quotient", 0.5, tell=lambda: "x0"))
    display.end(Fitted())
    assert "ended: " in capsys.readouterr().err


def test_every_reason_has_words():
    assert all(reason.meaning for reason in StopReason)
