"""Encoders that decide for one of a few classes of items."""

import itertools
import pickle
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_eql import EQLEncoderRegressor, Phase
from sklearn_eql.datasets import load_digits_arithmetic
from sklearn_eql.encoder.heads import Composite
from sklearn_eql.encoder.latent_classes import clusters, decide, disagreement, latent_prototypes, soft_minimum
from sklearn_eql.networks.encoders import LATENT_SCALE, LatentClasses, LatentNorm, build_encoder
from sklearn_eql.training import minibatch
from sklearn_eql.vision import import_torchvision

pytestmark = pytest.mark.usefixtures("one_thread")

DIGITS = load_digits_arithmetic(operation="multiply", n_samples=4000)
SHORT = {
    "encoder": "mlp",
    "n_classes": 6,
    "functions": {"const": 1, "id": 2, "mul": 1},
    "n_hidden_layers": 1,
    "linear_steps": 30,
    "schedule": [Phase(20, 3e-3)],
    "max_iter": 30,
    "n_generations": 1,
    "random_state": 0,
}


class Product(nn.Module):
    """The product of all latents, as a head."""

    def forward(self, latents):
        return latents.prod(dim=1)


@pytest.fixture(scope="module")
def multiplier():
    return EQLEncoderRegressor(encoder="mlp", n_classes=16, max_iter=600, random_state=0).fit(DIGITS.X, DIGITS.y)


def network(n_classes=4, n_latents=1, head=None):
    torch.manual_seed(0)
    encoder = build_encoder("mlp", (3,), n_latents, n_classes)
    return decide(Composite(encoder, LatentNorm(n_latents), head or Product()), True)


def test_undecided_latents_are_means_of_prototypes_and_decided_ones_are_prototypes():
    encoder, items = build_encoder("mlp", (3,), 2, 5).eval(), torch.rand(7, 3)
    shares = encoder.network(items).softmax(dim=1)
    torch.testing.assert_close(encoder(items), shares @ encoder.prototypes)
    encoder.decided.fill_(True)
    torch.testing.assert_close(encoder(items), encoder.prototypes[shares.argmax(dim=1)])
    torch.testing.assert_close(encoder.train()(items), shares @ encoder.prototypes)


def test_the_softmax_takes_the_place_of_the_last_hidden_layer():
    layers = [m for m in build_encoder("conv2d", (28, 28), 1, 16).modules() if isinstance(m, nn.Linear)]
    assert [layer.out_features for layer in layers] == [128, 16]
    assert build_encoder(lambda: nn.Linear(3, 4), (3,), 2, 4)(torch.rand(5, 3)).shape == (5, 2)


@pytest.mark.parametrize("n_items", [1, 2, 3])
def test_the_loss_is_the_likelihood_summed_over_all_combinations(n_items):
    model, temperature = network(), 0.3
    samples, targets = torch.rand(6, n_items, 3), torch.rand(6)
    found = soft_minimum(model, samples, targets, torch.square, temperature)
    shares = model.encoder.network(samples.flatten(0, 1)).softmax(dim=1)
    mean = shares.mean(dim=0) @ model.encoder.prototypes
    var = shares.mean(dim=0) @ (model.encoder.prototypes - mean) ** 2
    prototypes = LATENT_SCALE * (model.encoder.prototypes - mean)[:, 0] / var.sqrt()
    likelihood = torch.zeros(6)
    for classes in itertools.product(range(4), repeat=n_items):
        error = prototypes[list(classes)].prod() - targets
        chance = torch.stack([shares.reshape(6, n_items, 4)[:, i, k] for i, k in enumerate(classes)]).prod(dim=0)
        likelihood += chance * torch.exp(-(error**2) / temperature)
    torch.testing.assert_close(found, -temperature * likelihood.log().mean())


class Logarithm(nn.Module):
    """A head that is undefined for some classes."""

    def forward(self, latents):
        return latents.sum(dim=1).log()


def test_combinations_without_a_value_are_left_out():
    model = network(head=Logarithm())
    found = soft_minimum(model, torch.rand(6, 2, 3), torch.zeros(6), torch.square, 0.3)
    found.backward()
    assert torch.isfinite(found)
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.encoder.parameters())


def test_the_loss_has_the_gradient_of_its_differences():
    model = network(3).double()
    samples, targets = torch.rand(4, 2, 3).double(), torch.rand(4).double()

    def loss(prototypes):
        model.norm.mean.zero_(), model.norm.var.fill_(1)
        return torch.func.functional_call(_Loss(model, samples, targets), {"model.encoder.prototypes": prototypes})

    # The network's part runs in float32, which limits how well differences can be taken.
    prototypes = model.encoder.prototypes.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(loss, (prototypes,), eps=1e-4, atol=1e-3)


class _Loss(nn.Module):
    def __init__(self, model, samples, targets):
        super().__init__()
        self.model, self.samples, self.targets = model, samples, targets

    def forward(self):
        return soft_minimum(self.model, self.samples, self.targets, torch.square, 0.5)


def test_classes_start_where_latents_crowd():
    rng = np.random.default_rng(0)
    latents = rng.choice([-1.0, 0.2, 2.0], 500)[:, None] + rng.normal(0, 0.01, (500, 1))
    np.testing.assert_allclose(np.sort(clusters(latents, 3, 0)[:, 0]), [-1.0, 0.2, 2.0], atol=0.01)
    assert clusters(np.repeat([[0.0], [1.0]], 10, axis=0), 4, 0).shape == (4, 1)  # fewer than there are classes


def test_a_student_learns_which_place_is_next_to_the_teachers_latent():
    teacher, student = decide(network(), False).eval(), network()
    student.encoder.prototypes.data.copy_(torch.tensor([[-0.3], [-0.1], [0.1], [0.3]]))
    samples = torch.rand(50, 2, 3)
    latents, prototypes = teacher.norm(teacher.raw_latents(samples)), teacher.norm(student.encoder.prototypes)
    nearest = (latents - prototypes.T).abs().argmin(dim=1)
    logits = student.encoder.network(samples.flatten(0, 1))
    expected = nn.functional.cross_entropy(logits, nearest)
    torch.testing.assert_close(disagreement(student, teacher, samples), expected)


def test_a_product_of_digits_is_read_from_pictures(multiplier):
    law = multiplier.sympy_expr_
    z0, z1 = sorted(law.free_symbols, key=str)
    assert law.expand().coeff(z0, 1).coeff(z1, 1) != 0
    assert law.diff(z0, 2) == law.diff(z1, 2) == 0
    assert np.mean(multiplier.predict(DIGITS.X).round() == DIGITS.y) > 0.9
    test = load_digits_arithmetic(operation="multiply", subset="test", n_samples=2000)
    assert np.mean(multiplier.predict(test.X).round() == test.y) > 0.7  # a third without classes


def test_latents_are_those_of_the_classes(multiplier):
    latents = multiplier.transform(DIGITS.X[:500])
    assert multiplier.prototypes_.shape == (16, 1)
    assert set(np.unique(latents)) <= set(multiplier.prototypes_[:, 0])
    of_digit = [latents[DIGITS.digits[:500] == digit] for digit in range(10)]
    place = np.array([np.median(values) for values in of_digit])
    # Nobody told that there are ten of them, and as far apart from each other. Classes may share a place: which of
    # them a digit is in may differ between processors, where that is does not.
    assert abs(np.corrcoef(place, range(10))[0, 1]) > 0.9999
    off = [np.abs(values - of_this) for values, of_this in zip(of_digit, place, strict=True)]
    assert np.mean(np.concatenate(off) < np.abs(np.diff(place)).mean() / 4) > 0.9


def test_copies_decide_the_same(multiplier):
    copy = pickle.loads(pickle.dumps(multiplier))
    np.testing.assert_array_equal(copy.predict(DIGITS.X[:50]), multiplier.predict(DIGITS.X[:50]))


def test_a_fit_without_classes_forgets_them():
    model = EQLEncoderRegressor(**SHORT).fit(DIGITS.X, DIGITS.y)
    assert model.prototypes_.shape == (6, 1)
    assert model.set_params(n_classes=None).fit(DIGITS.X, DIGITS.y).prototypes_ is None


def test_several_latents_early_stopping_and_a_warm_start():
    model = EQLEncoderRegressor(**SHORT, n_latents=2, early_stopping=True, warm_start=True, loss="squared_error")
    model.fit(DIGITS.X, DIGITS.y)
    assert model.transform(DIGITS.X[:3]).shape == (3, 4)
    assert np.isfinite(model.fit(DIGITS.X, DIGITS.y).predict(DIGITS.X[:3])).all()


def test_a_relu_head_reads_means_of_prototypes():
    model = EQLEncoderRegressor(**SHORT, head="relu").fit(DIGITS.X, DIGITS.y)
    assert len(np.unique(model.transform(DIGITS.X[:100]))) > 6


def test_without_time_to_settle_latents_stay_means(monkeypatch, clock):
    done = []

    def advance(run, *args, unharmed=minibatch._Run.advance):
        done.append(1)
        if len(done) == 1000:
            clock.advance(20_000)
        unharmed(run, *args)

    monkeypatch.setattr("sklearn_eql.training.minibatch._Run.advance", advance)
    endless = {**SHORT, "linear_steps": 100_000}
    model = EQLEncoderRegressor(**endless, max_time=10_000.0).fit(DIGITS.X, DIGITS.y)
    assert model.stop_reason_ == "max_time"
    assert len(np.unique(model.transform(DIGITS.X[:100]))) > 6
    assert model.score(DIGITS.X, DIGITS.y) > 0.3


def test_a_killed_fit_settles_as_if_nothing_had_happened(tmp_path, monkeypatch):
    X, y = DIGITS.X[:500], DIGITS.y[:500]
    whole = EQLEncoderRegressor(**SHORT).fit(X, y)
    monkeypatch.setattr("sklearn_eql.training.checkpoint.SAVE_EVERY", 0.0)
    done = []

    class Killed(BaseException):
        pass

    def advance(run, *args, unharmed=minibatch._Run.advance):
        done.append(1)
        if len(done) == 45:  # 30 steps of the linear form, then as many of settling
            raise Killed
        unharmed(run, *args)

    monkeypatch.setattr("sklearn_eql.training.minibatch._Run.advance", advance)
    model = EQLEncoderRegressor(**SHORT, checkpoint=tmp_path / "fit.pt")
    with pytest.raises(Killed):
        model.fit(X, y)
    model.fit(X, y)
    np.testing.assert_array_equal(model.prototypes_, whole.prototypes_)
    np.testing.assert_array_equal(model.predict(X), whole.predict(X))


def test_prototypes_keep_their_scale_whatever_the_statistics():
    model = network(5, 2)
    model.norm.mean.fill_(3.0), model.norm.var.fill_(4.0)
    np.testing.assert_allclose(
        model.norm.raw(torch.from_numpy(latent_prototypes(model)).float()), model.encoder.prototypes.data, rtol=1e-4
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_classes": 1}, "The 'n_classes' parameter"),
        ({"n_classes": 400}, r"160000 combinations, and at most 100000.*Lower n_classes"),
        ({"n_classes": 50, "max_iter": 1}, r"n_classes=50, and 36 items to train on.*give more samples"),
        ({"encoder": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 1))}, r"expected \(2, 6\).*set n_classes"),
    ],
    ids=["one class", "combinations", "items", "width"],
)
def test_classes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        EQLEncoderRegressor(**{**SHORT, **changes}).fit(DIGITS.X[:20], DIGITS.y[:20])


def test_the_example_trains_a_network_of_torchvision(monkeypatch, capsys):
    pytest.importorskip("PIL")
    try:
        import_torchvision()
    except ImportError as error:
        pytest.skip(f"torchvision: {error}")
    script = Path(__file__).parents[2] / "examples" / "digits.py"
    monkeypatch.setattr("sys.argv", [str(script), "--quick"])
    runpy.run_path(str(script), run_name="__main__")
    assert "law:" in capsys.readouterr().out


def test_only_encoders_that_know_classes_are_told_to_decide():
    model = Composite(build_encoder("mlp", (3,), 1), LatentNorm(1), Product())
    assert decide(model, True) is model
    assert not isinstance(model.encoder, LatentClasses)
