"""The benchmark of wide tables: its tables, its judge, its records and its report."""

from importlib import import_module

import numpy as np
import pytest
import sympy


@pytest.fixture(scope="module")
def wide():
    return import_module("wide")


def test_three_columns_of_a_wide_table_make_its_target(wide):
    table = next(t for t in wide.tables(["wide"], [20]) if t.law == "a*b**2/2 + c")
    X, y = table.training(seed=1, noise=0.0)
    assert X.shape == (200, 20)
    np.testing.assert_allclose(y, X["a"] * X["b"] ** 2 / 2 + X["c"])
    _, noisy = table.training(seed=1, noise=0.01)
    assert np.std(noisy - y) == pytest.approx(0.01 * np.sqrt(np.mean(y**2)), rel=0.2)
    again, _ = table.training(seed=2, noise=0.0)
    assert list(again.columns) != list(X.columns)


def test_narrow_tables_have_their_own_rows_and_columns(wide):
    sizes = [table.training(0, 0.0)[0].shape for table in wide.tables(["narrow"], [])]
    assert sizes == [(100, 8), (100, 8), (100, 6), (300, 3), (300, 3)]


def test_every_law_judges_itself_right_and_another_column_wrong(wide):
    for table in wide.tables(["wide", "narrow"], [20]):
        job = wide.Job(table, noise=0.0, seed=0, budget=1.0)
        assert wide.judge(job, job.record(), table.problem().formula)["recovered"]
    other = table.problem().formula.xreplace({sympy.Symbol("x0"): sympy.Symbol("other1")})
    assert not wide.judge(job, job.record(), other)["recovered"]


def test_a_fit_is_recorded_once_and_reported(wide, tmp_path, capsys):
    results = tmp_path / "wide.jsonl"
    table = next(t for t in wide.tables(["wide"], [20]) if t.law == "a*b + c")
    job = wide.Job(table, noise=0.0, seed=0, budget=1.0)
    found = {"seconds": 1.0, "cpu": 0.5, "law": "a*b + c", "recovered": True}
    wide.append_record(results, job.record(**found))
    wanted = ["--columns", "20", "--laws", "a*b + c", "--noise", "0", "--seeds", "1", "--budget", "1"]
    wide.main([*wanted, "--results", str(results)])  # nothing is left to do
    assert len(results.read_text().splitlines()) == 1
    text = results.with_suffix(".md").read_text()
    assert "| wide | 20 | 0 | 1 | 1/1 | - | 1.0 | 0.5 |" in text
    with pytest.raises(SystemExit):
        wide.main(["--laws", "nowhere"])
    assert "there is no nowhere" in capsys.readouterr().err
