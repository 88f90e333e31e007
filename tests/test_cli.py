"""The command line: what it prints where, and one line with a cure for every mistake."""

import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import sympy

import sklearn_eql
from sklearn_eql.__main__ import main
from sklearn_eql.datasets import load_kepler


@pytest.fixture
def csv(tmp_path):
    """A table of y = 2*size**1.5, with a column of text and one of no use."""
    size = np.linspace(1, 4, 20)
    table = pd.DataFrame({"size": size, "other one": np.sin(9 * size), "label": "a", "y": 2 * size**1.5})
    path = tmp_path / "data.csv"
    table.to_csv(path, index=False)
    return path


@pytest.fixture
def stub(monkeypatch, known_law):
    """Replaces the search, and records how the estimator was called."""
    calls = []

    class Recorded(known_law):
        def fit(self, X, y):
            calls.append((self.get_params(), list(X.columns), y.name))
            return super().fit(X, y)

    monkeypatch.setattr(sklearn_eql, "EQLRegressor", Recorded, raising=False)
    return calls


@pytest.fixture
def fails(capsys):
    """Run the command line on what must fail; returns the one line that it answers."""

    def run(*arguments):
        assert main([str(a) for a in arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("sklearn-eql: error: ")
        assert captured.err.count("\n") == 1
        return captured.err

    return run


def run(*arguments):
    assert main([str(a) for a in arguments]) == 0


def test_table_and_law_go_to_stdout_and_progress_to_stderr(csv, stub, capsys):
    run(csv, "--target", "y", "--drop", "label")
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0].split() == ["complexity", "loss", "score", "equation"]
    assert lines[3].split()[1:] == ["->", "5", "0", "9", "2.0*size**(3/2)"]
    assert lines[-1] == "y = 2.0*size**(3/2)"
    assert captured.err == "searching\n"
    assert stub == [(stub[0][0], ["size", "other one"], "y")]


def test_rivals_are_marked_and_folds_passed_on(csv, monkeypatch, known_law, capsys):
    class Rivalled(known_law):
        def __init__(self, cv=None, verbose=0):
            super().__init__(verbose=verbose)
            self.cv = cv

        def fit(self, X, y):
            super().fit(X, y)
            known = {"rival": self.equations_.index == 0, "cv_loss": 0.123456, "cv_loss_se": float(self.cv)}
            self.equations_ = self.equations_.assign(**known)
            return self

    monkeypatch.setattr(sklearn_eql, "EQLRegressor", Rivalled, raising=False)
    run(csv, "--target", "y", "--drop", "label", "--cv", "4")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["complexity", "loss", "score", "cv_loss", "cv_loss_se", "equation"]
    assert lines[1].split()[:2] == ["0", "~"]
    assert lines[1].split()[5:7] == ["0.123", "4"]
    assert lines[3].split()[1] == "->"
    assert "~: as accurate as the selected law, within a standard error" in lines


def test_precision_and_latex_change_what_is_printed(csv, stub, capsys):
    run(csv, "--target", "y", "--features", "size", "--precision", "6", "--latex")
    out = capsys.readouterr().out
    assert "y = 2.00012*size**(3/2)" in out
    assert out.splitlines()[-1].startswith("2.00012")


def test_options_reach_the_estimator_and_others_keep_its_defaults(csv, stub):
    run(csv, "--target", "y", "--features", "size", "--max-time", "5", "--selection", "simple", "--random-state", "7")
    params, features, _ = stub[0]
    assert features == ["size"]
    assert params == {
        "functions": "default",
        "form": None,
        "selection": "simple",
        "max_time": 5.0,
        "random_state": 7,
        "verbose": 1,
    }


def test_laws_of_a_network_are_asked_for_by_name(csv, monkeypatch, known_law, fails, tmp_path):
    class Proposed(known_law):
        def __init__(self, proposals=None, verbose=0):
            super().__init__(verbose=verbose)
            self.proposals = proposals

        def fit(self, X, y):
            if self.proposals != "transformer":
                raise FileNotFoundError(f"proposals: weights={self.proposals!r} is no file")
            return super().fit(X, y)

    monkeypatch.setattr(sklearn_eql, "EQLRegressor", Proposed, raising=False)
    assert "is no file" in fails(csv, "--target", "y", "--features", "size", "--proposals", tmp_path / "none.npz")
    run(csv, "--target", "y", "--features", "size", "--proposals", "transformer")


@pytest.mark.parametrize(
    ("given", "expected"),
    [(["paper"], "paper"), (["sin"], ["sin"]), (["id", "square", "sin", "sin"], ["id", "square", "sin", "sin"])],
)
def test_functions_are_a_preset_or_names(csv, stub, given, expected):
    run(csv, "--target", "y", "--drop", "label", "--functions", *given)
    assert stub[0][0]["functions"] == expected


def test_saved_model_predicts_after_loading(csv, monkeypatch, known_law, tmp_path, capsys):
    monkeypatch.setattr(sklearn_eql, "EQLRegressor", known_law, raising=False)
    path = tmp_path / "model.joblib"
    run(csv, "--target", "y", "--features", "size", "--save", path)
    assert f"model written to {path}" in capsys.readouterr().err
    assert joblib.load(path).predict([[4.0]]) == pytest.approx([16.00096])


def test_printed_names_can_be_pasted_and_their_columns_are_told(tmp_path, stub, capsys):
    path = tmp_path / "data.csv"
    path.write_text("l (m),1,T\n1,2,1\n2,1,1.4\n")
    run(path, "--target", "T")
    lines = capsys.readouterr().out.splitlines()
    assert stub[0][1] == ["l (m)", "1"]  # the model keeps the names of the file
    assert lines[-2:] == ["l_m is column 'l (m)'", "T = 2.0*l_m**(3/2)"]


def test_why_the_search_stopped_is_printed(csv, stub, capsys):
    run(csv, "--target", "y", "--drop", "label")
    assert "stopped: exact (a law fits all rows to rounding)" in capsys.readouterr().out.splitlines()


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"sklearn-eql {sklearn_eql.__version__}\n"


def test_rows_with_empty_cells_are_left_out_on_demand(tmp_path, stub, capsys):
    path = tmp_path / "data.csv"
    path.write_text("a,b,y\n1,1,2\n?,2,3\n4,3,\n5,,6\n")
    run(path, "--target", "y", "--features", "a", "--dropna")
    assert "2 of 4 rows have empty cells and are left out" in capsys.readouterr().err


def test_a_column_without_any_value_is_named(fails, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b c,y\n1,,2\n2,,3\n")
    assert "no value at all in 'b c'; leave out with: --drop 'b c'" in fails(path, "--target", "y", "--dropna")


def test_labels_of_rows_are_no_feature_unless_named(tmp_path, stub, capsys):
    path = tmp_path / "data.csv"
    pd.DataFrame({"a": [1.0, 2, 3], "y": [2.0, 4, 7]}, index=[0, 2, 5]).to_csv(path)
    run(path, "--target", "y")
    assert "column 'Unnamed: 0' labels the rows and is left out" in capsys.readouterr().err
    run(path, "--target", "y", "--features", "Unnamed: 0", "a")
    assert [features for _, features, _ in stub] == [["a"], ["Unnamed: 0", "a"]]


CELLS = {
    "a few bad cells": (["1.5", "2,5", "12 m", "4", "5"], "'2,5' in row 2 of 'a'); correct the 2 cells"),
    "dates": (["2024-05-01", "2024-05-02", "2024-06-02"], "write dates as seconds or days since the first row"),
    "categories": (["red", "blue"] * 5, "give each value of categories a column of 0 and 1"),
}


@pytest.mark.parametrize("case", CELLS)
def test_what_is_no_number_is_shown_with_its_cure(fails, tmp_path, case):
    cells, message = CELLS[case]
    path = tmp_path / "data.csv"
    pd.DataFrame({"a": cells, "y": range(len(cells))}).to_csv(path, index=False)
    assert message in fails(path, "--target", "y")


def test_a_missing_header_line_is_suspected_where_there_are_numbers_only(fails, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("1,2\n3,4\n")
    assert "its first line holds numbers only, is the header line missing?" in fails(path, "--target", "y")


def test_missing_file_is_named(fails, tmp_path):
    path = tmp_path / "absent.csv"
    assert f"there is no file {path}" in fails(path, "--target", "y")


def test_missing_column_is_answered_with_close_names_and_all_names(fails, csv):
    message = fails(csv, "--target", "Sise")
    assert "there is no column 'Sise'" in message
    assert "did you mean 'size'?" in message
    assert "Columns: size, other one, label, y" in message


@pytest.mark.parametrize("option", ["--drop", "--features"])
def test_missing_column_is_found_in_every_option(fails, csv, option):
    message = fails(csv, "--target", "y", option, "nothing")
    assert message.endswith(f"there is no column 'nothing' in {csv}. Columns: size, other one, label, y\n")


def test_columns_of_text_are_named_with_the_option_that_drops_them(fails, csv):
    assert "not numeric: 'label'" in fails(csv, "--target", "y")
    assert "--drop label" in fails(csv, "--target", "y")
    assert "the target must hold numbers" in fails(csv, "--target", "label")


def test_columns_with_spaces_are_quoted_in_the_cure(fails, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("first name,y\nann,1\n")
    assert "--drop 'first name'" in fails(path, "--target", "y")


def test_target_among_features_or_dropped_is_refused(fails, csv):
    for option in ("--features", "--drop"):
        assert "column 'y' is the target" in fails(csv, "--target", "y", option, "size", "y")


def test_dropping_every_feature_is_refused(fails, csv):
    assert "no column is left to explain 'y'" in fails(csv, "--target", "y", "--drop", "size", "other one", "label")


@pytest.mark.parametrize(("content", "message"), [("", "is empty"), ("a,y\n", "has a header but no rows")])
def test_a_file_without_rows_is_refused(fails, tmp_path, content, message):
    path = tmp_path / "data.csv"
    path.write_text(content)
    assert message in fails(path, "--target", "y")


def test_a_broken_table_is_refused(fails, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,y\n1,2\n1,2,3,4\n")
    assert "is not a CSV table" in fails(path, "--target", "y")
    path.write_bytes(b"a,y\n\xff\x00\x01,1\n")
    assert "is not text; save the table as CSV" in fails(path, "--target", "y")


def test_empty_cells_are_counted(fails, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,y\n1,2\n,3\n4,\n")
    message = fails(path, "--target", "y")
    assert "empty cells in 'a', 'y' (2 of 3 rows); fill them, or leave out such rows with --dropna" in message


def test_a_place_to_save_that_does_not_exist_is_refused_before_the_search(fails, csv, stub, tmp_path):
    target = tmp_path / "absent" / "model.joblib"
    assert "create it first" in fails(csv, "--target", "y", "--drop", "label", "--save", target)
    assert stub == []


def test_precision_below_one_is_refused(fails, csv):
    assert "--precision must be at least 1, got 0" in fails(csv, "--target", "y", "--precision", "0")


@pytest.mark.parametrize("error", [ValueError, RuntimeError])
def test_errors_of_the_estimator_become_one_line(fails, csv, monkeypatch, known_law, error):
    class Failing(known_law):
        def fit(self, X, y):
            raise error("max_time must be positive,\n  got -1.")

    monkeypatch.setattr(sklearn_eql, "EQLRegressor", Failing, raising=False)
    message = fails(csv, "--target", "y", "--drop", "label")
    assert message == "sklearn-eql: error: max_time must be positive, got -1.\n"


def test_module_runs_as_a_command(tmp_path):
    command = [sys.executable, "-m", "sklearn_eql", str(tmp_path / "absent.csv"), "--target", "y"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"sklearn-eql: error: there is no file {tmp_path / 'absent.csv'}\n"


def test_command_line_finds_keplers_law_in_the_shipped_table(tmp_path, capsys):
    path = tmp_path / "model.joblib"
    drop = ["--drop", "name", "group", "source"]
    run(load_kepler().filename, "--target", "period", *drop, "--random-state", "0", "--save", path)
    assert "semi_major_axis" in capsys.readouterr().out.splitlines()[-1]
    X, y = load_kepler(group="small_bodies", return_X_y=True)
    np.testing.assert_allclose(joblib.load(path).predict(X), y, rtol=2e-3)


def test_units_go_to_the_estimator(csv, monkeypatch, known_law, fails):
    calls = []

    class WithUnits(known_law):
        def __init__(self, units=None, y_unit=None, dimensionless_constants=False, verbose=0):
            super().__init__(verbose=verbose)
            calls.append((units, y_unit, dimensionless_constants))

    monkeypatch.setattr(sklearn_eql, "EQLRegressor", WithUnits, raising=False)
    assert "'weight' is no feature" in fails(csv, "--target", "y", "--features", "size", "--units", "weight=kg")
    assert "COLUMN=UNIT" in fails(csv, "--target", "y", "--features", "size", "--units", "size")
    run(csv, "--target", "y", "--features", "size", "--units", "size=m", "--y-unit", "s", "--dimensionless-constants")
    assert calls == [({"size": "m"}, "s", True)]


def test_what_is_known_of_the_law_is_read_from_text(csv, stub):
    run(csv, "--target", "y", "--drop", "label", "--form", "f(size)*exp(-k*`other one`) + 2")
    size, other, k = map(sympy.Symbol, ("size", "other one", "k"))
    assert stub[0][0]["form"] == sympy.Function("f")(size) * sympy.exp(-k * other) + 2


def test_mistakes_in_the_form_are_told_with_their_place(csv, fails):
    answer = fails(csv, "--target", "y", "--drop", "label", "--form", "a*size^2")
    assert "--form at character" in answer
    assert "powers are written with **" in answer
    answer = fails(csv, "--target", "y", "--drop", "label", "--form", "f(k)*size")
    assert "form: f(k) reads no feature, expected some of size, other one" in answer


@pytest.fixture
def springs(tmp_path):
    """Three springs: a pull that is each its own, and an offset of all."""
    x = np.tile(np.linspace(0.5, 3, 12), 3)
    stiff = np.repeat([2.0, 5.5, 8.25], 12)
    table = pd.DataFrame({"x": x, "spring": np.repeat(["a", "b", "c"], 12), "y": stiff * x + 1.237})
    path = tmp_path / "springs.csv"
    table.to_csv(path, index=False)
    return path


def test_constants_of_groups_are_printed_below_the_law(springs, capsys):
    run(springs, "--target", "y", "--groups", "spring", "--functions", "id", "--random-state", 0)
    lines = capsys.readouterr().out.splitlines()
    law = next(i for i, line in enumerate(lines) if line.startswith("y = "))
    assert "c0*x" in lines[law]
    assert [line.split()[:2] for line in lines[-3:]] == [["a", "2"], ["b", "5.5"], ["c", "8.25"]]


def test_a_form_of_groups_keeps_the_names_of_its_constants(springs, capsys):
    known = ["--form", "k*x + b", "--units", "x=m", "--y-unit", "N"]
    run(springs, "--target", "y", "--groups", "spring", *known, "--random-state", 0)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[-3:]] == [["a", "2"], ["b", "5.5"], ["c", "8.25"]]
    assert lines[-5].split() == ["k", "k_se"]
    assert "y = k*x + 1.24" in lines


def test_laws_of_constants_in_the_number_of_the_group_are_printed(tmp_path, capsys):
    depth = np.repeat(np.linspace(1.5, 5, 8), 6)
    x = np.tile(np.linspace(0.5, 3, 6), 8)
    path = tmp_path / "depths.csv"
    pd.DataFrame({"x": x, "depth": depth, "y": depth**2 * x}).to_csv(path, index=False)
    run(path, "--target", "y", "--groups", "depth", "--functions", "square", "--random-state", 0)
    assert capsys.readouterr().out.splitlines()[-1] == "c0 = g**2 with g = depth"


def test_mistakes_in_groups_are_told_before_the_search(springs, fails, tmp_path):
    assert "there is no column 'springs'" in fails(springs, "--target", "y", "--groups", "springs")
    assert "'y' is the target" in fails(springs, "--target", "y", "--groups", "y")
    table = pd.read_csv(springs)
    table.loc[3, "spring"] = None
    gaps = tmp_path / "gaps.csv"
    table.to_csv(gaps, index=False)
    assert "empty cells in 'spring'" in fails(gaps, "--target", "y", "--groups", "spring")
    assert "breaks the units" in fails(
        springs, "--target", "y", "--drop", "spring", "--form", "k*x + sin(x)", "--units", "x=m", "--y-unit", "N"
    )


# A folder of tables ------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """Two tables of one law each, and one whose target is text."""
    size = np.linspace(1, 4, 20)
    for name, factor in (("b", 2), ("a", 3)):
        pd.DataFrame({"size": size, "y": factor * size**1.5}).to_csv(tmp_path / f"{name}.csv", index=False)
    pd.DataFrame({"size": size, "y": "x"}).to_csv(tmp_path / "c.csv.gz", index=False)
    (tmp_path / "notes.txt").write_text("no table")
    return tmp_path


def test_each_table_of_a_folder_has_a_law_and_those_without_say_why(folder, capsys):
    assert main([str(folder), "--target", "y", "--random-state", "0"]) == 2
    captured = capsys.readouterr()
    first, second, third = captured.out.splitlines()
    assert (first, second) == ("a.csv: y = 3*size**(3/2)", "b.csv: y = 2*size**(3/2)")
    assert third.startswith("c.csv.gz: error: not numeric: 'y'")
    assert captured.err.splitlines()[-1] == "sklearn-eql: error: 1 of 3 tables have no law"


def test_laws_that_are_kept_are_not_sought_again(folder, stub, capsys):
    (folder / "c.csv.gz").unlink()
    results = folder / "laws.results"
    for _ in range(2):
        run(folder, "--target", "y", "--results", results)
        assert len(stub) == 2
    results.write_text("".join(results.read_text().splitlines(keepends=True)[:2]))  # as a run that was stopped left it
    run(folder, "--target", "y", "--results", results)
    assert len(stub) == 3
    assert list(pd.read_csv(results)["file"]) == ["a.csv", "b.csv"]


def test_mistakes_about_folders(folder, fails, csv):
    assert "--save and --latex are for one table" in fails(folder, "--target", "y", "--latex")
    assert "--results and --jobs are for a folder" in fails(csv, "--target", "y", "--jobs", 2)
    (folder / "laws.results").write_text("a,b\n")
    assert "is no file of results" in fails(folder, "--target", "y", "--results", folder / "laws.results")
    empty = folder / "empty"
    empty.mkdir()
    assert "no table in" in fails(empty, "--target", "y")
