"""EQLEncoderRegressor: an equation of what a network sees."""

from __future__ import annotations

import copy
import hashlib
import math
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_eql.encoder.augment import Transform
from sklearn_eql.encoder.heads import Composite, relu_head
from sklearn_eql.encoder.items import Items, read_items, read_more_items
from sklearn_eql.encoder.latent_classes import latent_prototypes
from sklearn_eql.encoder.search import FoundLaw, find_law
from sklearn_eql.encoder.stages import LOSSES, Training, latents_of, values_of
from sklearn_eql.estimators._check_parameters import check_latents, check_sizes
from sklearn_eql.estimators._check_table import check_varies
from sklearn_eql.estimators._compat import CallbackSupportMixin, HasMethods, Interval, StrOptions, fit_context
from sklearn_eql.estimators._encoder_settings import TOLERANCES, training_settings
from sklearn_eql.estimators._equation_reader import EquationReader, Selection, unchanged_on_failure
from sklearn_eql.estimators._watching import CALLBACKS, watched_fit
from sklearn_eql.exceptions import AllTrialsFailedError, SearchInterruptedWarning
from sklearn_eql.laws.law import Law
from sklearn_eql.laws.selection import select
from sklearn_eql.networks.encoders import Encoder, LatentNorm, build_encoder
from sklearn_eql.networks.penalties import Penalty
from sklearn_eql.networks.state import load_parameters, parameters_of
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.progress import Watcher
from sklearn_eql.stopping import StopReason, flag_of_interruption
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.training.checkpoint import Checkpoint
from sklearn_eql.training.minibatch import Watch
from sklearn_eql.training.optimizers import OPTIMIZERS
from sklearn_eql.training.schedule import IMAGE_SCHEDULES, Phase


class EQLEncoderRegressor(TransformerMixin, EquationReader, RegressorMixin, CallbackSupportMixin, BaseEstimator):
    """An equation of what a network sees: one encoder for all items of a sample, and an EQL head.

    The encoder maps each item (an image, a series, a row) to `n_latents` numbers, the head maps the latents of all
    items to the target, and both are trained together from the targets alone (section III-B of the paper). Then the
    head is pruned and refined to a law, simpler laws are tried with the encoder adapted to them, coefficients that are
    equal are tied, and encoder and law are trained on. What is printed is what predicts: ``predict(X)`` is the law of
    ``transform(X)``.

    Parameters
    ----------
    encoder : {"conv2d", "conv1d", "mlp"} or callable, default="conv2d"
        Appendix C of the paper for images and series, or two hidden layers for rows; or a function without arguments
        that returns a fresh :class:`torch.nn.Module` from ``(n, *item_shape)`` to ``(n, n_latents)``. Latents are
        normalised to mean 0 and standard deviation 0.5 over the training items (Appendix C-A).
    n_latents : int, default=1
        Numbers that an item is described by.
    n_classes : int, default=None
        Latent classes, for items of a few classes such as digits: at least as many as there are. The encoder then
        decides for a class of item, and each class has learned latents, `prototypes_`. It is trained by the likelihood
        of the target, summed over the ``n_classes ** n_items`` combinations, 100,000 at most. A callable `encoder`
        returns ``(n, n_classes)``.
    n_items, item_shape : int and tuple of int, default=None
        For flattened `X` of shape ``(n_samples, n_features)``: ``n_items * prod(item_shape) == n_features``. One of
        the two is enough; without both, every column is an item of shape ``(1,)``.
    head : {"eql", "relu"}, default="eql"
        "relu" is the comparison of the paper: two hidden layers of 50 units, and no equation.
    functions, n_hidden_layers
        As in :class:`~sklearn_eql.EQLRegressor`; the default is the set of Appendix A.
    penalty : {"l05", "l0", "l1"} or Penalty, default="l05"
        On the weights of the head alone.
    alpha : float, default=1e-3
        Penalty weight (lambda in the paper, which has 0.05 for the squared error).
    linear_steps : int, default=600
        Steps of encoder and a linear form of the latents, which come first. If no law of these latents is clearly
        better than the form, there is no dense head to train. 0 starts with the dense head, as the paper does.
    schedule : {"fast", "paper"} or sequence of Phase, default="fast"
        Phases of the training of encoder and dense head; "paper" is Appendix C-A.
    selection : {"best", "accurate", "simple"} or callable, default="best"
        Which law is trained further. "best": the simplest whose validation loss, with the encoder adapted to it, is at
        most 1.25 times that of the law of shortest description; "simple": at most 2 times; "accurate": at most the
        same. A callable gets the table of laws of the latents and returns a row label.
    n_generations : int, default=8
        Generations of sparse networks that are searched on the latents, beside what is left of the head; 0 for none.
    loss : {"huber", "absolute_error", "squared_error"}, default="huber"
        Mean over samples. The paper has the squared error; the Huber loss, linear beyond a fortieth of the range of y,
        does not spend its gradients on the few items that nobody can read.
    max_iter : int, default=6000
        Steps of the training of encoder and law (0 for none), with a one-cycle learning rate and averaged weights.
    learning_rate : float, default=3e-3
        The highest one of that training.
    optimizer : {"adam", "rmsprop"}, default="adam"
    batch_size : int, default=128
        Samples per step.
    transforms : {"affine"} or callable, default=None
        Distortion of training images. "affine": small random turns, scales, shears and shifts, for a batch at once. A
        callable, such as a torchvision transform, is applied to each image of shape ``(C, H, W)``, float32.
    validation_fraction : float, default=0.1
        Samples held out (2,000 at most) to compare laws, and for early stopping. Without early stopping they are part
        of the last training.
    early_stopping : bool, default=False
        End the last training when the validation loss falls no more, and keep the weights of the lowest.
    n_iter_no_change : int, default=10
        Epochs without progress after which `early_stopping` ends training.
    checkpoint : path-like, default=None
        File in which the state of training is saved every minute, and from which a fit that was killed goes on. It is
        deleted when the fit is complete.
    max_time : float or None, default=None
        Seconds for `fit`; when they are over, the best model so far is kept.
    device : str, default="auto"
        "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1".
    mixed_precision : bool or "auto", default="auto"
        Train the encoder in bfloat16. "auto": where that saves time, on GPUs with units for it and on CPUs with AMX or
        AVX-512 that prove faster, timed once per process. The law is always evaluated in full precision, and so is
        the encoder after training.
    random_state : int, RandomState or None, default=None
    verbose : int, default=0
        Progress on stderr if not 0.
    callbacks : sequence of callable, or None, default=None
        Called with a :class:`~sklearn_eql.callbacks.Progress` while the fit runs; a true answer ends it. See
        :mod:`sklearn_eql.callbacks`.
    warm_start : bool, default=False
        Start from the encoder of the previous fit.
    run_dir : str or path-like, default=None
        Directory in which the fit is kept while it runs, and from which `from_run` opens it again. The state of
        training is in it as well, as with `checkpoint`. Made if it is not there.
    on_undefined : {"raise", "nan", "clip"}, default="raise"
        What `predict` does with samples on which the law is undefined or overflows. "raise": a ValueError that names
        the first. "nan": NaN for these samples. "clip": latents of such samples are moved into the range that `fit`
        saw, one by one; where the law is undefined even there, the error is raised.

    Attributes
    ----------
    sympy_expr_ : sympy.Expr
        The law in ``z0, z1, ...``, in the order of the columns of ``transform(X)``.
    equations_ : DataFrame
    best_index_ : int
    prototypes_ : ndarray of shape (n_classes, n_latents) or None
        Latents of each class, if `n_classes` is given. Some may be of no item, and some the same.
    latent_mean_, latent_scale_ : ndarray of shape (n_latents,)
        Mean and standard deviation of what the encoder returns, which latents are normalised with.
    item_scale_ : float
        What items are divided by: 255 for uint8, else the largest absolute value in the training samples.
    n_items_ : int
    item_shape_ : tuple of int
    n_features_in_ : int
    n_iter_ : int
        Optimiser steps.
    loss_curve_ : list of float
        Training loss, smoothed, every 50 steps.
    loss_steps_ : list of int
        Training steps after which these losses are.
    stop_reason_ : str
        "schedule", "max_time", "callback", "interrupted" or "early_stopping".
    interrupted_ : bool

    References
    ----------
    S. Kim et al., "Integration of Neural Network-Based Symbolic Regression in Deep Learning for Scientific
    Discovery", IEEE TNNLS 2020. Sections III-B and IV-A, Appendices C-A and D.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_eql import EQLEncoderRegressor
    >>> X = np.random.default_rng(0).uniform(-1, 1, (400, 2))
    >>> model = EQLEncoderRegressor(encoder="mlp", functions=["id", "mul"], max_iter=300, random_state=0)
    >>> model.fit(X, X[:, 0] ** 3 + X[:, 1] ** 3).transform(X).shape
    (400, 2)
    """

    _parameter_constraints: ClassVar[dict] = {
        "encoder": [str, callable],
        "n_latents": [Interval(Integral, 1, None, closed="left")],
        "n_classes": [Interval(Integral, 2, None, closed="left"), None],
        "n_items": [Interval(Integral, 1, None, closed="left"), None],
        "item_shape": [tuple, list, None],
        "head": [StrOptions({"eql", "relu"})],
        "functions": [str, Mapping, Sequence],
        "n_hidden_layers": [Interval(Integral, 1, None, closed="left")],
        "penalty": [StrOptions({"l05", "l0", "l1"}), HasMethods(["gates", "value"])],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "linear_steps": [Interval(Integral, 0, None, closed="left")],
        "schedule": [StrOptions(set(IMAGE_SCHEDULES)), Sequence],
        "selection": [StrOptions(set(TOLERANCES)), callable],
        "n_generations": [Interval(Integral, 0, None, closed="left")],
        "loss": [StrOptions(set(LOSSES))],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "optimizer": [StrOptions(set(OPTIMIZERS))],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "transforms": [StrOptions({"affine"}), callable, None],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "early_stopping": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "checkpoint": [str, os.PathLike, None],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "device": [str],
        "mixed_precision": ["boolean", StrOptions({"auto"})],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "callbacks": CALLBACKS,
        "warm_start": ["boolean"],
        "run_dir": [str, os.PathLike, None],
        "on_undefined": [StrOptions({"raise", "nan", "clip"})],
    }

    def __init__(
        self,
        *,
        encoder: Encoder = "conv2d",
        n_latents: int = 1,
        n_classes: int | None = None,
        n_items: int | None = None,
        item_shape: Sequence[int] | None = None,
        head: str = "eql",
        functions: str | Mapping[str, int] | Sequence[str | Primitive] = "paper",
        n_hidden_layers: int = 2,
        penalty: str | Penalty = "l05",
        alpha: float = 1e-3,
        linear_steps: int = 600,
        schedule: str | Sequence[Phase] = "fast",
        selection: Selection = "best",
        n_generations: int = 8,
        loss: str = "huber",
        max_iter: int = 6000,
        learning_rate: float = 3e-3,
        optimizer: str = "adam",
        batch_size: int = 128,
        transforms: str | Transform | None = None,
        validation_fraction: float = 0.1,
        early_stopping: bool = False,
        n_iter_no_change: int = 10,
        checkpoint: str | os.PathLike | None = None,
        max_time: float | None = None,
        device: str = "auto",
        mixed_precision: bool | str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        callbacks: Sequence[Watcher] | None = None,
        warm_start: bool = False,
        run_dir: str | os.PathLike | None = None,
        on_undefined: str = "raise",
    ) -> None:
        self.encoder = encoder
        self.n_latents = n_latents
        self.n_classes = n_classes
        self.n_items = n_items
        self.item_shape = item_shape
        self.head = head
        self.functions = functions
        self.n_hidden_layers = n_hidden_layers
        self.penalty = penalty
        self.alpha = alpha
        self.linear_steps = linear_steps
        self.schedule = schedule
        self.selection = selection
        self.n_generations = n_generations
        self.loss = loss
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.transforms = transforms
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.checkpoint = checkpoint
        self.max_time = max_time
        self.device = device
        self.mixed_precision = mixed_precision
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.run_dir = run_dir
        self.on_undefined = on_undefined

    @fit_context(prefer_skip_nested_validation=True)
    @unchanged_on_failure
    @watched_fit
    def fit(self, X: Any, y: Any = None) -> EQLEncoderRegressor:
        """Train encoder and head, find the law, and train on with it.

        Parameters
        ----------
        X : array-like of shape ``(n_samples, n_items, *item_shape)`` or (n_samples, n_features), or Dataset
            Read batch by batch: a memory-mapped array or a :class:`torch.utils.data.Dataset` may be larger than
            memory. A Dataset returns ``x`` or ``(x, y)`` per index.
        y : array-like of shape (n_samples,)
            May be left out where a Dataset returns it.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Wrong shapes, NaN or infinity, constant targets, unknown names, an encoder that does not fit the items, a
            checkpoint of another fit, a device that is not there.
        TypeError
            A module instance as encoder.
        AllTrialsFailedError
            Training diverged. As after every error, the estimator is what it was before the call.
        """
        check_sizes(self)
        start = time.time()
        deadline = math.inf if self.max_time is None else start + self.max_time
        items, y = read_items(self, X, y, self.n_items, self.item_shape)
        check_varies(np.arange(len(y))[:, None], y[:, None], ["y"])
        check_latents(self.n_latents, len(y), "samples")
        scale = items.scale()
        items.check_vary(scale)
        settings = training_settings(self, items)
        earlier = self._previous(items) if self.warm_start else None
        drawn = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        wanted: dict[str, Any] = {"encoder": self.encoder, "n_latents": self.n_latents, "n_classes": self.n_classes}
        with torch.random.fork_rng(devices=[]):
            build_encoder(item_shape=items.item_shape, **wanted)  # complains before any work starts
        checkpoint = Checkpoint(self._checkpoint_path(), self._identity(items, y))
        seed = checkpoint.stage("seed", lambda: drawn)  # that of the run that is taken up
        earlier = checkpoint.stage("earlier encoder", lambda: earlier)
        self._watched.hand("checked", self)
        with flag_of_interruption() as flag:  # so that Ctrl-C between two stages loses nothing
            watch = Watch(deadline, report=self._report if self._watched.watchers else None, flag=str(flag))
            training = Training(
                items,
                y,
                scale,
                lambda: build_encoder(item_shape=items.item_shape, **wanted),
                settings,
                seed,
                checkpoint,
                watch,
            )
            try:
                if self.head == "relu":
                    found = FoundLaw(training.train_relu(earlier))
                else:
                    keep = None
                    if self._watched.run is not None:
                        keep = partial(self._keep_in_run, training, items, scale, wanted)
                    found = find_law(training, earlier, self.linear_steps > 0, self._selected_by_user(training), keep)
            except FloatingPointError as error:
                raise AllTrialsFailedError(
                    f"Training diverged in {error}: the loss is not finite. Lower learning_rate (now "
                    f"{self.learning_rate:g}) or the rates of the schedule, or choose functions that grow less fast."
                ) from error
            watch.is_interrupted()
        self._take_over(found, training, items, scale, wanted)
        asked = watch.interrupted and self._watched.stopped  # a callback, and not Ctrl-C
        self.interrupted_ = watch.interrupted and not asked
        ended = StopReason.MAX_TIME if time.time() > deadline else training.ended
        ended = StopReason.CALLBACK if asked else StopReason.INTERRUPTED if watch.interrupted else ended
        self.stop_reason_ = str(ended)
        checkpoint.remove()
        if self.interrupted_:
            warnings.warn(
                "fit was interrupted; the model trained until then was kept (interrupted_ is True). Set max_time for a "
                "limit, checkpoint= to go on from here, or warm_start=True to start from this encoder.",
                SearchInterruptedWarning,
                stacklevel=2,
            )
        return self

    @property
    def loss_steps_(self) -> list[int]:
        """Training steps after which the losses of `loss_curve_` are."""
        check_is_fitted(self)
        n = len(self.loss_curve_)
        return [round(self.n_iter_ * (1 + i) / n) for i in range(n)]

    def transform(self, X: Any) -> np.ndarray:
        """Latents of the items.

        Parameters
        ----------
        X : array-like of shape ``(n_samples, n_items, *item_shape)`` or (n_samples, n_features), or Dataset

        Returns
        -------
        z : ndarray of shape (n_samples, n_items * n_latents)
            Those of the first item first.
        """
        check_is_fitted(self)
        items = read_more_items(self, X, self.n_items_, self.item_shape_)
        return latents_of(self._model(), items, self.item_scale_, np.arange(len(items)))

    def predict(self, X: Any, index: int | None = None) -> np.ndarray:
        """Values of the law of the latents.

        Parameters
        ----------
        X : array-like of shape ``(n_samples, n_items, *item_shape)`` or (n_samples, n_features), or Dataset
        index : int, optional
            Row of `equations_`; the selected one by default.

        Returns
        -------
        y : ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            Items of another shape than in `fit`; samples on which the law is undefined.
        """
        check_is_fitted(self)
        if not self._laws:
            items = read_more_items(self, X, self.n_items_, self.item_shape_)
            values = values_of(self._model(), items, self.item_scale_, np.arange(len(items)))
            return self._center + self._half * values
        return self._evaluate(self.transform(X), index)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the latents: ``z0, z1, ...``."""
        check_is_fitted(self)
        return np.array(self._names, dtype=object)

    def _selected_by_user(self, training: Training) -> Callable[[list[Law]], int] | None:
        """What a callable `selection` makes of the laws of the latents."""
        if not callable(self.selection):
            return None
        names = [f"z{i}" for i in range(training.n_features)]

        def chosen(laws: list[Law]) -> int:
            table = self._table(laws, names, primitives=training.settings.search.primitives)
            return select(self.selection, laws, len(training.rows), table)

        return chosen

    def _take_over(self, found: FoundLaw, training: Training, items: Items, scale: float, wanted: dict) -> None:
        """Fitted attributes: arrays and plain values."""
        model, has_law = found.model, bool(found.front)
        self._laws, self._best = ([found.front], [found.best]) if has_law else ([], [])
        self._ranges = found.ranges
        self._own = {n: p for n, p in training.settings.search.primitives.items() if PRIMITIVES.get(n) != p}
        self._names, self._single = [f"z{i}" for i in range(training.n_features)], True
        self._wanted = wanted
        self._encoder_state = parameters_of(model.encoder)
        self._head_state = parameters_of(model.head) if self.head == "relu" else None
        self._center, self._half = training.center, training.half
        self.latent_mean_ = model.norm.mean.cpu().numpy().ravel()
        self.latent_scale_ = np.sqrt(model.norm.var.cpu().numpy().ravel())
        self.item_scale_ = scale
        self.n_items_, self.item_shape_ = items.n_items, items.item_shape
        self.n_iter_, self.loss_curve_ = training.n_steps, training.losses
        self._rebuilt = None
        rebuilt = self._model()  # as a copy would have it
        self.prototypes_ = None if self.n_classes is None else latent_prototypes(rebuilt)

    def _keep_in_run(self, training: Training, items: Items, scale: float, wanted: dict, found: FoundLaw) -> None:
        """Keep the estimator as it would be if the fit ended here."""
        there = copy.copy(self)
        there._take_over(found, training, items, scale, wanted)
        there.stop_reason_, there.interrupted_ = str(StopReason.INTERRUPTED), True
        self._watched.hand("keep", there)

    def _model(self) -> Composite:
        """The trained network, rebuilt from arrays once; on the CPU."""
        known = getattr(self, "_rebuilt", None)
        if known is None:
            with torch.random.fork_rng(devices=[]):  # initial weights are drawn only to be replaced
                encoder = build_encoder(item_shape=self.item_shape_, **self._wanted)
                head = torch.nn.Identity() if self._head_state is None else relu_head(len(self._names))
            if self._head_state is not None:
                load_parameters(head, self._head_state)
            norm = LatentNorm(self._wanted["n_latents"])
            norm.mean.copy_(torch.from_numpy(self.latent_mean_))
            norm.var.copy_(torch.from_numpy(self.latent_scale_) ** 2)
            model = Composite(load_parameters(encoder, self._encoder_state), norm, head).eval()
            # In single precision the last digits of an item depend on the others of its batch, and on the processor.
            # Encoders of the user may be written for single precision.
            self._rebuilt = known = model if callable(self._wanted["encoder"]) else model.double()
        return known

    def _previous(self, items: Items) -> dict | None:
        """State of the encoder of an earlier fit, if it reads the same items."""
        if not hasattr(self, "_encoder_state") or self.item_shape_ != items.item_shape:
            return None
        if any(getattr(self, name) != value for name, value in self._wanted.items()):
            return None
        return self._model().state_dict()

    def _identity(self, items: Items, y: np.ndarray) -> dict[str, str]:
        """What a checkpoint has to agree with: parameters that matter, and a digest of the data."""
        free = {"checkpoint", "run_dir", "warm_start", "max_time", "device", "verbose", "callbacks"}
        free |= {"n_items", "item_shape", "on_undefined"}
        if not isinstance(self.random_state, Integral):
            free.add("random_state")
        given = {name: value for name, value in self.get_params(deep=False).items() if name not in free}
        # Functions have no text that stays the same from run to run.
        texts = {name: getattr(value, "__qualname__", None) or repr(value) for name, value in given.items()}
        digest = hashlib.sha256(np.ascontiguousarray(y).tobytes())
        some = np.unique(np.linspace(0, len(items) - 1, 16).astype(int))
        digest.update(items.take(some).numpy().tobytes())
        return {**texts, "data": digest.hexdigest()[:16]}

    def _checkpoint_path(self) -> str | os.PathLike | None:
        if self.checkpoint is None and self.run_dir is not None:
            return Path(self.run_dir) / "checkpoint"
        return self.checkpoint

    def _report(self, name: str, step: int, n_steps: int, loss: float) -> None:
        self._watched(name, loss, step, n_steps)

    def _check_fitted(self, attribute: str) -> None:
        super()._check_fitted(attribute)
        if not self._laws:
            raise AttributeError(
                f"{type(self).__name__} has no attribute {attribute!r} after a fit with head='relu', which is no "
                "equation. Use head='eql'."
            )

    def _chosen(self, index: int | list[int] | None) -> list[Equation]:
        self._check_fitted("sympy_expr_")
        return super()._chosen(index)

    def __getstate__(self) -> dict:
        state = dict(super().__getstate__())
        state.pop("_rebuilt", None)
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.max_time is not None
        return tags
