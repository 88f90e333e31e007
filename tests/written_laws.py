"""Writers for tests: one that writes what it is told, and a network that nobody has trained."""

from dataclasses import dataclass

import torch

from sklearn_eql.language.conversion import to_equation
from sklearn_eql.language.network import LawTransformer, NetworkConfig
from sklearn_eql.language.reading_rows import Reading, renamed
from sklearn_eql.language.tokens import Vocabulary
from sklearn_eql.language.writer import LawWriter, WrittenLaw


@dataclass
class StubWriter:
    """Writes given expressions, in prefix tokens, whatever it is shown; keeps how many rows and columns that were."""

    texts: tuple[str, ...]
    reading: Reading = Reading(1)  # noqa: RUF009 - frozen

    def __post_init__(self):
        self.shown = []

    def write(self, X, y, n_beams=32, *, columns=None, seed=0, n_views=1):
        columns = range(X.shape[1]) if columns is None else columns
        self.shown.append((len(y), tuple(columns)))
        expressions = [tuple(text.split()) for text in self.texts[:n_beams]]
        equations = [to_equation(renamed(e, columns), X.shape[1]) for e in expressions]
        return [WrittenLaw(e, -1.0 - i, law) for i, (e, law) in enumerate(zip(expressions, equations, strict=True))]


def untrained(n_variables=1, constants=()):
    """Network, vocabulary and notes of random weights, which write valid nonsense, of whole numbers by default."""
    vocabulary = Vocabulary(n_variables, 0 if constants else 9, constants)
    config = NetworkConfig(len(vocabulary), n_variables, 12, 16, 2, 4, 1, 1, 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = LawTransformer(config).eval()
    return network, vocabulary, {"seed": 0}


def untrained_writer(n_variables=2):
    """It writes rough constants and reads columns in units of their own."""
    return LawWriter(*untrained(n_variables, (0.1, 1.0, 10.0)))
