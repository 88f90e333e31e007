"""A checkpoint that is not what was written is refused, by its name."""

import pytest
import torch

from sklearn_eql.training.checkpoint import Checkpoint

IDENTITY = {"alpha": "0.001", "data": "12ab"}


@pytest.fixture
def path(tmp_path):
    """A file with the result of one stage."""
    path = tmp_path / "fit.pt"
    state = {"model": {"weight": torch.arange(2000.0)}, "losses": [1.0, 0.5], "status": "converged"}
    Checkpoint(path, IDENTITY).stage("phase 1", lambda: state)
    return path


def unwanted():
    raise AssertionError("the stage was done again")


def test_a_whole_file_gives_the_stage_back(path):
    outcome = Checkpoint(path, IDENTITY).stage("phase 1", unwanted)
    assert outcome["losses"] == [1.0, 0.5]
    torch.testing.assert_close(outcome["model"]["weight"], torch.arange(2000.0))


@pytest.mark.parametrize("share", [0.0, 0.005, 0.5, 0.99])
def test_a_file_that_was_cut_is_called_damaged(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"checkpoint='.*fit\.pt' is .*damaged.*Delete the file to start afresh"):
        Checkpoint(path, IDENTITY)


def test_a_file_with_more_at_its_end_is_called_damaged(path):
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ValueError, match=r"fit\.pt' is damaged: its \d+ bytes do not agree with their checksum"):
        Checkpoint(path, IDENTITY)


def test_any_byte_that_was_flipped_is_noticed(path):
    content = path.read_bytes()
    for place in range(0, len(content), len(content) // 100):  # header, checksum, names, weights, directory
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        with pytest.raises(ValueError, match=r"fit\.pt' is .*damaged"):
            Checkpoint(path, IDENTITY)


def test_a_file_of_anything_else_is_no_checkpoint(path):
    torch.save({"identity": IDENTITY}, path)
    with pytest.raises(ValueError, match=r"fit\.pt' is no checkpoint of a fit"):
        Checkpoint(path, IDENTITY)
