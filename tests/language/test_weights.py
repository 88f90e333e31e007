"""Weights in a file: the network comes back, and what is no such file is refused by name."""

import json

import numpy as np
import pytest
import torch

from sklearn_eql.language.network import LawTransformer, NetworkConfig
from sklearn_eql.language.tokens import Vocabulary
from sklearn_eql.language.weights import read_weights, save_weights

VOCABULARY = Vocabulary()


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LawTransformer(NetworkConfig(len(VOCABULARY), width=16, n_heads=2, n_layers=1)).eval()


@pytest.fixture
def path(tmp_path, network):
    path = tmp_path / "weights.npz"
    save_weights(path, network, VOCABULARY, {"seed": 3})
    return path


def test_a_network_comes_back_to_half_precision(path, network):
    found, vocabulary, notes = read_weights(path)
    assert (found.config, vocabulary, notes) == (network.config, VOCABULARY, {"seed": 3})
    assert not found.training
    for name, value in network.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=1e-3, atol=1e-4)


def test_the_file_holds_plain_arrays_of_half_precision(path):
    with np.load(path, allow_pickle=False) as file:
        assert {file[name].dtype for name in file.files if name != "header"} == {np.dtype(np.float16)}


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_file_that_was_cut_is_refused_by_name(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"weights\.npz' is damaged, or holds no weights"):
        read_weights(path)


def test_weights_of_another_version_are_refused(path):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    header = json.loads(arrays["header"].tobytes()) | {"format": 99}
    np.savez(path, **arrays | {"header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)})
    with pytest.raises(ValueError, match="weights of version 99; this one reads version 1"):
        read_weights(path)


def test_arrays_of_another_network_are_refused(path):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path, **{name: array for name, array in arrays.items() if name != "latents"})
    with pytest.raises(ValueError, match=r"weights\.npz' does not hold the network that it names .*latents"):
        read_weights(path)
