"""The gallery of laws of motion: its script prints the tables and draws the pictures."""

import runpy
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "motion.py"


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["motion.py", "--quick", *map(str, arguments)])
    runpy.run_path(str(SCRIPT), run_name="__main__")


@pytest.fixture(autouse=True)
def _needs_matplotlib():
    pytest.importorskip("matplotlib")


def test_the_table_of_the_paper_is_printed_beside_ours_and_the_figure_drawn(monkeypatch, tmp_path, capsys):
    run(monkeypatch, "--systems", "kinematics", "--output", tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert "| paper, found | `1.002*u + 1.002*v - 0.475*z` | `1.002*v - 0.918*z - 0.102` |" in lines
    assert "| here, `z` replaced by `a` | `0.5*a + u + v` | `a + v` |" in lines
    assert any(line.startswith("| `ReLU` |") for line in lines)
    assert (tmp_path / "motion_kinematics.png").stat().st_size > 10_000


def test_other_systems_are_a_row_and_a_picture(monkeypatch, tmp_path, capsys):
    run(monkeypatch, "--systems", "projectile", "--output", tmp_path)
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| projectile |"))
    assert "| `1`, `w`, `-field` | `1`, `w`, `-z` |" in row
    assert (tmp_path / "motion_systems.png").stat().st_size > 10_000


def test_without_a_folder_nothing_is_drawn(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, "--systems", "projectile")
    assert "Picture" not in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
