"""Pictures of a network that writes laws: all are drawn, from the weights of any network of whole numbers."""

from importlib import import_module

import pytest
from written_laws import untrained

from sklearn_eql.language import save_weights

pytest.importorskip("matplotlib")


def test_all_pictures_are_drawn(tmp_path, monkeypatch):
    figures = import_module("transformer_figures")
    monkeypatch.setattr(figures, "N_TABLES", 30)
    lengths = {"3": (1, 2), "5": (0, 4)}
    rate = {"n_beams": 32, "first_by_length": lengths, "best_by_length": lengths}
    network, vocabulary, notes = untrained()
    save_weights(tmp_path / "weights.npz", network, vocabulary, notes | {"rate": rate})
    figures.main(["--weights", str(tmp_path / "weights.npz"), "--output", str(tmp_path)])
    names = {path.stem for path in tmp_path.glob("*.png")}
    assert names == {f"transformer_{name}" for name in ("functions", "embedding", "beams", "lengths")}
