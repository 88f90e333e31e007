"""Writing laws: beam search and sampling that can only write valid expressions, and the scores of given ones.

In prefix order a partial expression has a number of arguments that are still missing. A token fills one and opens as
many as its arity; the expression is complete when none is missing. Tokens that could not be completed in the length
that remains have no chance, nor have variables whose column is zero on all rows: it is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sklearn_eql.language.grammar import Expression
from sklearn_eql.language.network import LawTransformer
from sklearn_eql.language.tokens import PAD, START, Vocabulary

_ROWS_AT_ONCE = 1024  # tables times beams: bounds the memory
_NEVER = -torch.inf


@dataclass(frozen=True)
class Written:
    """An expression and the logarithm of its probability."""

    expression: Expression
    log_probability: float


def beam_search(
    network: LawTransformer, vocabulary: Vocabulary, X: np.ndarray, y: np.ndarray, n_beams: int = 32
) -> list[list[Written]]:
    """The most probable expressions for every table that a beam finds, best first, no two of one form.

    Real constants are one choice: where there is one, the most probable is written, with the probability of all. Else a
    beam would hold one form many times, with constants that a fit has to find anyway.

    Parameters
    ----------
    network : LawTransformer
        In evaluation mode, on any device.
    vocabulary : Vocabulary
        Of the network.
    X : ndarray, shape (n_tables, n_rows, n_variables)
    y : ndarray, shape (n_tables, n_rows)
        Rows with NaN are left out.
    n_beams : int
        Partial expressions that are kept.

    Raises
    ------
    ValueError
        Tables of another shape, or with no row that is finite.
    """
    return _written(network, vocabulary, X, y, n_beams, None, 1.0)


def sample(
    network: LawTransformer,
    vocabulary: Vocabulary,
    X: np.ndarray,
    y: np.ndarray,
    n_samples: int = 32,
    temperature: float = 1.0,
    seed: int = 0,
) -> list[list[Written]]:
    """Expressions drawn from the network for every table, each once, most probable first.

    Parameters as in `beam_search`; logits are divided by `temperature` before drawing, and the probabilities reported
    are those without it.
    """
    generator = torch.Generator().manual_seed(seed)
    return _written(network, vocabulary, X, y, n_samples, generator, temperature)


@torch.no_grad()
def log_probabilities(
    network: LawTransformer, vocabulary: Vocabulary, X: np.ndarray, y: np.ndarray, expressions: Sequence[Expression]
) -> np.ndarray:
    """What the network thinks of given expressions, one per table, shape ``(n_tables,)``."""
    device = network.latents.device
    codes = torch.from_numpy(vocabulary.encode(expressions)).to(device)
    inputs = torch.cat([torch.full_like(codes[:, :1], START), codes[:, :-1]], dim=1)
    latents = network.encode(torch.from_numpy(X).to(device), torch.from_numpy(y).to(device))
    chances = network(network.memory(latents), inputs).float().log_softmax(dim=-1)
    chosen = chances.gather(2, codes[..., None])[..., 0]
    return torch.where(codes == PAD, 0.0, chosen).sum(dim=1).cpu().numpy()


@torch.no_grad()
def _written(
    network: LawTransformer,
    vocabulary: Vocabulary,
    X: np.ndarray,
    y: np.ndarray,
    n_beams: int,
    generator: torch.Generator | None,
    temperature: float,
) -> list[list[Written]]:
    _check_tables(network, X, y)
    found: list[list[Written]] = []
    device = network.latents.device
    n_tables = max(_ROWS_AT_ONCE // n_beams, 1)
    for first in range(0, len(X), n_tables):
        part = slice(first, first + n_tables)
        latents = network.encode(torch.from_numpy(X[part]).to(device), torch.from_numpy(y[part]).to(device))
        hidden = _hidden(vocabulary, X[part]).to(device)
        codes, scores = _search(network, vocabulary, latents, hidden, n_beams, generator, temperature)
        for table, score in zip(codes.cpu().numpy(), scores.cpu().tolist(), strict=True):
            best: dict[Expression, float] = {}
            for expression, value in zip(vocabulary.decode(table), score, strict=True):
                if value > _NEVER:
                    best[expression] = max(value, best.get(expression, _NEVER))
            found.append([Written(e, s) for e, s in sorted(best.items(), key=lambda pair: -pair[1])])
    return found


def _check_tables(network: LawTransformer, X: np.ndarray, y: np.ndarray) -> None:
    n_variables = network.config.n_variables
    if X.ndim != 3 or X.shape[2] != n_variables or y.shape != X.shape[:2]:
        raise ValueError(
            f"X and y have the shapes {X.shape} and {y.shape}; this network reads (n_tables, n_rows, {n_variables}) "
            "and (n_tables, n_rows). Choose columns, or add an axis for a single table."
        )
    empty = np.flatnonzero(~(np.isfinite(y) & np.isfinite(X).all(axis=2)).any(axis=1))
    if len(empty):
        raise ValueError(f"Table {empty[0]} has no row with finite numbers. Leave it out.")


def _hidden(vocabulary: Vocabulary, X: np.ndarray) -> Tensor:
    """Tokens that are not written for each table ``(tables, 1, n_tokens)``: padding, start, and variables of zeros."""
    hidden = torch.zeros(len(X), 1, len(vocabulary), dtype=torch.bool)
    hidden[..., [PAD, START]] = True
    absent = (X == 0).all(axis=1)
    absent[absent.all(axis=1)] = False  # a table of zeros has its variables
    for column, is_absent in enumerate(absent.T):
        hidden[:, 0, vocabulary.tokens.index(f"x{column}")] = torch.from_numpy(is_absent)
    return hidden


def _one_constant(chances: Tensor, n_constants: int) -> Tensor:
    """Log-probabilities with those of the last `n_constants` tokens summed up in the largest of them."""
    constants = chances[..., -n_constants:]
    total, best = constants.logsumexp(dim=-1, keepdim=True), constants.argmax(dim=-1, keepdim=True)
    joined = torch.full_like(constants, _NEVER).scatter(-1, best, total)
    return torch.cat([chances[..., :-n_constants], joined], dim=-1)


def _search(
    network: LawTransformer,
    vocabulary: Vocabulary,
    latents: Tensor,
    hidden: Tensor,
    n_beams: int,
    generator: torch.Generator | None,
    temperature: float,
) -> tuple[Tensor, Tensor]:
    """Token numbers ``(tables, beams, max_tokens)`` and log-probabilities ``(tables, beams)``."""
    n_tables, device = len(latents), latents.device
    arity = torch.from_numpy(vocabulary.arity).to(device)
    memory = [
        (keys.repeat_interleave(n_beams, dim=0), values.repeat_interleave(n_beams, dim=0))
        for keys, values in network.memory(latents)
    ]
    past = network.fresh_past()
    tokens = torch.full((n_tables, n_beams), START, device=device)
    missing = torch.ones_like(tokens)  # arguments, of every partial expression
    scores = torch.zeros(n_tables, n_beams, device=device)
    if generator is None:
        scores[:, 1:] = _NEVER  # all beams start alike: one of them is enough
    written = torch.empty(n_tables, n_beams, 0, dtype=torch.long, device=device)
    first_rows = n_beams * torch.arange(n_tables, device=device)[:, None]
    for place in range(network.config.max_tokens):
        logits = network.step(memory, tokens.flatten(), place, past).float().unflatten(0, (n_tables, n_beams))
        left = network.config.max_tokens - place - 1
        logits = logits.masked_fill((missing[..., None] - 1 + arity > left) | hidden, _NEVER)
        chances = logits.log_softmax(dim=-1)
        if generator is None and vocabulary.constants:
            chances = _one_constant(chances, len(vocabulary.signed_constants))
        complete = missing == 0
        chances = chances.masked_fill(complete[..., None], _NEVER)
        chances[..., PAD] = chances[..., PAD].masked_fill(complete, 0.0)
        if generator is None:
            # A beam without a chance may hold tokens that cannot be completed, and then has no probabilities.
            totals = torch.where(scores[..., None] > _NEVER, scores[..., None] + chances, _NEVER)
            scores, best = totals.flatten(start_dim=1).topk(n_beams, dim=1)
            origin, tokens = best // len(arity), best % len(arity)
            rows = (first_rows + origin).flatten()
            for kept in past:
                kept.reorder(rows)
            written, missing = written.flatten(0, 1)[rows].unflatten(0, (n_tables, n_beams)), missing.gather(1, origin)
        else:
            weights = (chances / temperature).softmax(dim=-1).cpu()
            tokens = torch.multinomial(weights.flatten(0, 1), 1, generator=generator).view_as(missing).to(device)
            scores = scores + chances.gather(2, tokens[..., None])[..., 0]
        missing = torch.where(missing > 0, missing - 1 + arity[tokens], 0)
        written = torch.cat([written, tokens[..., None]], dim=-1)
        if not (missing > 0).logical_and(scores > _NEVER).any():
            break
    return written, scores
