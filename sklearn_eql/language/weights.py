"""Weights in a file of plain half-precision arrays, with what is needed to use them; reading it runs no code."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sklearn_eql.language.network import LawTransformer, NetworkConfig
from sklearn_eql.language.tokens import Vocabulary

FORMAT = 1
"""Version of the file; one of another is refused."""

_HEADER = "header"


def save_weights(
    path: str | os.PathLike, network: LawTransformer, vocabulary: Vocabulary, notes: Mapping[str, Any]
) -> None:
    """Write a network.

    Parameters
    ----------
    path : path-like
        Ends in ``.npz``.
    network, vocabulary : LawTransformer, Vocabulary
        What is written.
    notes : mapping of str to plain values
        How it was trained.
    """
    path = Path(path)
    header = {
        "format": FORMAT,
        "config": asdict(network.config),
        "vocabulary": asdict(vocabulary),
        "notes": dict(notes),
    }
    arrays = {name: value.detach().cpu().numpy().astype(np.float16) for name, value in network.state_dict().items()}
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        np.savez_compressed(file, **{_HEADER: np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)}, **arrays)
    os.replace(part, path)


def read_weights(path: str | os.PathLike) -> tuple[LawTransformer, Vocabulary, dict[str, Any]]:
    """A network in evaluation mode, its vocabulary, and the notes on its training.

    Raises
    ------
    ValueError
        The file is damaged, holds no weights, or is of another version.
    """
    cure = "Train them again with python -m sklearn_eql.pretrain, or name another file."
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            header = json.loads(file[_HEADER].tobytes())
            arrays = {name: file[name] for name in file.files if name != _HEADER}
        version = header["format"]
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, TypeError, zlib.error) as error:
        what = f"{type(error).__name__} on reading it"
        raise ValueError(f"{str(path)!r} is damaged, or holds no weights of a network ({what}). {cure}") from error
    if version != FORMAT:
        raise ValueError(f"{str(path)!r} has weights of version {version}; this one reads version {FORMAT}. {cure}")
    try:
        network = LawTransformer(NetworkConfig(**header["config"]))
        network.load_state_dict({name: torch.from_numpy(value.astype(np.float32)) for name, value in arrays.items()})
        vocabulary, notes = Vocabulary(**header["vocabulary"]), header["notes"]
    except (RuntimeError, KeyError, TypeError) as error:  # arrays of another network than the header says
        what = " ".join(str(error).split())
        raise ValueError(f"{str(path)!r} does not hold the network that it names ({what}). {cure}") from error
    return network.eval(), vocabulary, notes
