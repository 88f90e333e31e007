"""The benchmark of the network that writes laws: its tables, its methods, its records and its report."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from written_laws import untrained

from sklearn_eql.language import evaluate, save_weights
from sklearn_eql.language.conversion import to_equation
from sklearn_eql.language.writer import WrittenLaw


@pytest.fixture(scope="module")
def transformer():
    return import_module("transformer")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Files of networks that nobody has trained: of several variables, and of whole numbers."""
    folder = tmp_path_factory.mktemp("weights")
    save_weights(folder / "laws.npz", *untrained(5, (0.1, 1.0)))
    save_weights(folder / "integers.npz", *untrained())
    return str(folder / "laws.npz"), str(folder / "integers.npz")


def test_deep_laws_are_as_deep_as_they_say(transformer):
    tables = transformer.deep_laws(8)
    depths = [max(WrittenLaw((), 0.0, to_equation(t.law, 1)).structure().depths) for t in tables]
    assert depths == [3] * 4 + [4] * 4
    for table in tables:
        np.testing.assert_allclose(evaluate([table.law], table.X)[0], table.y)


@pytest.mark.parametrize("part", ["random", "integers", "deep", "time"])
def test_every_method_runs_and_is_recorded_once(transformer, monkeypatch, tmp_path, capsys, weights, part):
    y = np.linspace(1, 2, 40)
    line = transformer.Table(y[:, None], 3 * y, ("mul", "3", "x0"))
    monkeypatch.setitem(transformer.TABLES, part, lambda: [line])
    options = ["--parts", part, "--quick", "--laws", weights[0], "--integers", weights[1]]
    options += ["--results", str(tmp_path / "found.jsonl")]
    transformer.main(options)
    shown = capsys.readouterr().out
    assert "RECOVERED" in shown
    assert f"| {part} | eql" in shown or part == "time"
    transformer.main(options)
    assert "RECOVERED" not in capsys.readouterr().out


def test_drawing_from_the_grammar_finds_short_laws(transformer):
    x = np.random.default_rng(0).uniform(0.5, 1.5, (64, 1))
    table = transformer.Table(x, np.sqrt(x[:, 0]) - 0.5, ("sqrt", "x0"))
    found = transformer.drawn(replace(table, y=table.y / np.std(table.y)), budget=20.0)
    assert found["recovered"]
    assert found["draws"] % transformer.DRAWS_AT_ONCE == 0
