"""The benchmark of a device runs without one, and keeps to its time."""

import importlib
import time

import pytest
import torch

SECTIONS = ("structures", "pairs", "laws", "trials", "training")


@pytest.fixture
def device():
    return importlib.import_module("device")


@pytest.fixture
def bench(device):
    return device.Bench(torch.device("cpu"), quick=True, laws=False, until=time.time() + 1000)


@pytest.mark.parametrize("section", ["structures", "pairs"])
def test_a_section_prints_what_its_header_says(device, bench, section):
    measured, _, header = device.SECTIONS[section]
    rows = list(measured(bench))
    assert rows
    assert {len(row) for row in rows} == {len(header)}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_ends_when_its_time_is_up(device, bench, section):
    bench.until = time.time() - 1
    assert tuple(device.SECTIONS) == SECTIONS
    assert not list(device.SECTIONS[section][0](bench))


def test_more_structures_than_are_distinct_differ_in_their_starts(monkeypatch):
    structures = importlib.import_module("_structures")
    monkeypatch.setattr(structures, "_DISTINCT", 20)
    found = structures.structures_of(structures.problem_of(50), 30)
    assert len(found) == 30
    assert found[25].key == found[5].key
    assert structures.bytes_per_step(found[:1], 50) > 0
