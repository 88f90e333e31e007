"""Plain values in files: what is written comes back, and what is damaged is refused by name."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from sklearn_eql.plain_files import NotPlainError, from_plain, read, to_plain, write
from sklearn_eql.stopping import StopReason

CURE = "Fit again."
VALUES = {
    "numbers": [None, True, 3, 0.1, float("inf"), np.float64(1 / 3), np.int64(7), np.True_],
    "names": ("a", "b", StopReason.EXACT, Path("file")),
    ("a", 1): {"half": Fraction(1, 2)},
    "arrays": [np.arange(6.0).reshape(2, 3), np.array([True, False]), np.array(["x", "yy"]), np.zeros((0, 2))],
    "objects": np.array(["mass", "speed"], dtype=object),
}


def same(first, second):
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and first.shape == second.shape and (first == second).all()
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)):
        return type(first) is type(second) and len(first) == len(second) and all(map(same, first, second))
    return first == second or str(first) == second


@pytest.fixture
def file(tmp_path):
    write(tmp_path / "values.json", "table", to_plain(VALUES))
    return tmp_path / "values.json"


def test_values_come_back_as_they_were(file):
    assert same(VALUES, from_plain(read(file, "table", CURE)))
    assert [path.name for path in file.parent.iterdir()] == ["values.json"]


@pytest.mark.parametrize("value", [len, object(), {1: {2, 3}}, np.array([len], dtype=object)])
def test_what_is_not_plain_is_refused(value):
    with pytest.raises(NotPlainError, match="is no plain value"):
        to_plain(value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "is damaged: its content"),
        (lambda text: text.replace("0.1", "0.2"), "is damaged: its content"),
        (lambda text: text[5:], "is no table, or its first line is damaged"),
        (lambda text: "", "is no table"),
        (lambda text: "[]\n", "is no table"),
        (lambda text: text.replace('"format": 1', '"format": 2'), "version 2; this one reads version 1"),
        (lambda text: text.replace('"table"', '"picture"'), "is a picture, expected a table"),
    ],
)
def test_files_that_are_damaged_or_of_another_kind_are_refused_by_name(file, damage, message):
    file.write_text(damage(file.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"values\.json.*{message}.* Fit again\."):
        read(file, "table", CURE)


def test_a_file_that_is_missing_or_no_text_is_refused_by_name(file):
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"values\.json' cannot be read as table \(UnicodeDecodeError\)"):
        read(file, "table", CURE)
    with pytest.raises(ValueError, match=r"none\.json': there is no such file"):
        read(file.with_name("none.json"), "table", CURE)


def test_what_was_there_stays_where_a_write_fails(file, monkeypatch):
    before = file.read_text(encoding="utf-8")
    monkeypatch.setattr(json, "dumps", lambda *given, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(file, "table", 3)
    assert file.read_text(encoding="utf-8") == before
