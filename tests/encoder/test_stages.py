"""The stages of an encoder's training: what they are given, and that a law as head computes that law."""

import math

import numpy as np
import pytest
import torch

from sklearn_eql.encoder.items import Items
from sklearn_eql.encoder.latent_laws import LatentSearch
from sklearn_eql.encoder.stages import HUBER_DELTA, LOSSES, Seeds, Training, TrainingSettings
from sklearn_eql.encoder.tied_coefficients import Ties
from sklearn_eql.networks.encoders import build_encoder
from sklearn_eql.networks.penalties import resolve_penalty
from sklearn_eql.primitives import PRIMITIVES, resolve_functions
from sklearn_eql.symbolic.equation import Equation, Unit
from sklearn_eql.training.checkpoint import Checkpoint
from sklearn_eql.training.minibatch import Watch

X = np.random.default_rng(0).normal(size=(50, 2, 3)).astype(np.float32)
Y = 3.0 + X.sum(axis=(1, 2))


def training(seed=0, watch=None):
    settings = TrainingSettings(
        n_latents=1,
        head="eql",
        linear_steps=10,
        schedule=(),
        penalty=resolve_penalty("l05"),
        alpha=1e-3,
        search=LatentSearch(tuple(resolve_functions(["id", "mul"])), 1, 1),
        tolerance=1.1,
        loss="huber",
        max_iter=10,
        learning_rate=1e-3,
        optimizer="adam",
        batch_size=16,
        transforms=None,
        n_validation=10,
        patience=None,
        device="cpu",
        mixed=False,
    )
    make_encoder = lambda: build_encoder("mlp", (3,), 1)  # noqa: E731
    return Training(Items(X, 2, (3,)), Y, 1.0, make_encoder, settings, seed, Checkpoint(None, {}), watch or Watch())


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_everything_random_has_a_seed_of_its_own():
    assert Seeds.of(3) == Seeds.of(3)
    assert len(set(Seeds.of(3))) == len(Seeds._fields)


def test_every_sample_is_trained_on_or_held_out():
    stages = training()
    assert len(stages.held_out) == 10
    assert sorted([*stages.held_out, *stages.rows]) == list(range(50))
    assert not np.array_equal(stages.held_out, training(seed=1).held_out)


def test_targets_are_centred_to_the_middle_of_their_range():
    stages = training()
    np.testing.assert_allclose((Y - stages.center) / stages.half, np.interp(Y, [Y.min(), Y.max()], [-1, 1]), atol=1e-6)


def test_fresh_weights_follow_from_the_seed_and_leave_the_users_random_numbers_alone():
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    first, same, other = (training(seed).dense_model() for seed in (0, 0, 1))
    assert torch.rand(1) == expected
    torch.testing.assert_close(weights(first), weights(same), rtol=0, atol=0)
    assert not torch.equal(weights(first), weights(other))


def test_a_law_as_head_computes_the_law_of_the_latents():
    stages = training()
    law = Equation(2, (Unit("mul", (((1, 1.0),), ((2, 1.0),))),), ((0, 5.0), (3, -2.0)))
    model = stages.law_model(law, Ties.none(law, PRIMITIVES), {}).eval()
    z = stages.latents(model, np.arange(50))
    with torch.no_grad():
        predicted = stages.center + stages.half * model(stages.items.take(slice(None))).double().numpy()
    np.testing.assert_allclose(predicted, 5 - 2 * z[:, 0] * z[:, 1], rtol=1e-4)


def test_a_stage_may_take_its_share_of_the_time():
    stages = training(watch=Watch(deadline=math.inf))
    assert stages.until(0.5) == math.inf
    limited = training(watch=Watch(deadline=stages.started + 1e6))
    assert limited.until(0.25) == pytest.approx(0.75 * limited.started + 0.25 * limited.watch.deadline)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_even_and_grow(loss):
    residuals = torch.linspace(0, 2, 50, dtype=torch.float64)
    values = LOSSES[loss](residuals)
    torch.testing.assert_close(LOSSES[loss](-residuals), values)
    assert values[0] == 0
    assert (values.diff() > 0).all()


def test_the_huber_loss_is_quadratic_near_and_has_slope_one_far_away():
    near, far = torch.tensor([HUBER_DELTA / 2, 2.0], dtype=torch.float64).requires_grad_()
    slopes = [torch.autograd.grad(LOSSES["huber"](r), r)[0].item() for r in (near, far)]
    assert slopes == pytest.approx([0.5, 1.0])
