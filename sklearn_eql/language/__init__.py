"""A network that reads rows and writes laws: expressions, data sets, network, training, decoding."""

from sklearn_eql.language.canonical import canonical, skeleton
from sklearn_eql.language.conversion import from_sympy, to_equation, to_sympy
from sklearn_eql.language.datasets import (
    Batch,
    ExpressionStream,
    HeldOut,
    SavedExpressions,
    corpus,
    read_corpus,
    save_corpus,
)
from sklearn_eql.language.decoding import Written, beam_search, log_probabilities, sample
from sklearn_eql.language.evaluation import evaluate, fingerprints
from sklearn_eql.language.exact_rate import ExactRate, exact_rate, reproduces, unseen
from sklearn_eql.language.grammar import Expression, Grammar, random_trees
from sklearn_eql.language.network import LawTransformer, NetworkConfig
from sklearn_eql.language.normal_form import NoCanonicalFormError
from sklearn_eql.language.presets import PRESETS, Preset
from sklearn_eql.language.pretraining import Pretrained, Schedule, pretrain
from sklearn_eql.language.reading_rows import Reading
from sklearn_eql.language.tokens import Vocabulary
from sklearn_eql.language.weights import read_weights, save_weights
from sklearn_eql.language.writer import LawWriter, WrittenLaw

__all__ = [
    "PRESETS",
    "Batch",
    "ExactRate",
    "Expression",
    "ExpressionStream",
    "Grammar",
    "HeldOut",
    "LawTransformer",
    "LawWriter",
    "NetworkConfig",
    "NoCanonicalFormError",
    "Preset",
    "Pretrained",
    "Reading",
    "SavedExpressions",
    "Schedule",
    "Vocabulary",
    "Written",
    "WrittenLaw",
    "beam_search",
    "canonical",
    "corpus",
    "evaluate",
    "exact_rate",
    "fingerprints",
    "from_sympy",
    "log_probabilities",
    "pretrain",
    "random_trees",
    "read_corpus",
    "read_weights",
    "reproduces",
    "sample",
    "save_corpus",
    "save_weights",
    "skeleton",
    "to_equation",
    "to_sympy",
    "unseen",
]
