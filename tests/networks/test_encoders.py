"""Encoders, their normalisation, and distortions of images."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_eql.encoder.augment import distort, transformed
from sklearn_eql.networks.encoders import ENCODERS, LATENT_SCALE, LatentNorm, build_encoder


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("conv2d", (28, 28)),
        ("conv2d", (3, 32, 40)),
        ("conv2d", (8, 8)),
        ("conv2d", (1, 4, 5)),
        ("conv2d", (16, 17)),
        ("conv1d", (9,)),
        ("conv1d", (2, 100)),
        ("mlp", (1,)),
        ("mlp", (3, 4, 5)),
    ],
)
def test_every_encoder_maps_items_to_latents(name, shape):
    assert build_encoder(name, shape, 3)(torch.rand(5, *shape)).shape == (5, 3)


def test_the_image_encoder_has_the_layers_of_appendix_c():
    layers = list(build_encoder("conv2d", (28, 28), 1))
    convolutions = [m for m in layers if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size) for c in convolutions] == [(1, 32, (5, 5)), (32, 64, (5, 5))]
    assert [m.out_features for m in layers if isinstance(m, nn.Linear)] == [128, 16, 1]


def test_pooling_before_the_activation_is_the_same_function():
    x = torch.randn(4, 3, 10, 10)
    assert torch.equal(torch.relu(nn.MaxPool2d(2)(x)), nn.MaxPool2d(2)(torch.relu(x)))


@pytest.mark.parametrize(("name", "shape"), [("conv2d", (3, 28)), ("conv2d", (28,)), ("conv1d", (8,)), ("conv1d", ())])
def test_items_that_an_encoder_cannot_read_name_the_cure(name, shape):
    with pytest.raises(ValueError, match=r"got items of shape .*encoder='mlp'|'mlp' for rows"):
        ENCODERS[name](shape, 1)


def test_latents_have_the_scale_of_appendix_c_in_training_and_afterwards():
    norm = LatentNorm(2, momentum=1.0)
    raw = torch.randn(500, 2) * torch.tensor([3.0, 0.1]) + torch.tensor([5.0, -7.0])
    trained = norm(raw)
    np.testing.assert_allclose(trained.mean(dim=0), 0, atol=1e-4)
    np.testing.assert_allclose(trained.std(dim=0, correction=0), LATENT_SCALE, rtol=1e-4)
    torch.testing.assert_close(norm.eval()(raw), trained)


def test_every_image_of_a_batch_is_distorted_in_its_own_way():
    image = torch.zeros(1, 28, 28)
    image[0, 6:22, 12:16] = 1
    batch = distort(image.expand(64, 1, 28, 28))
    assert batch.shape == (64, 1, 28, 28)
    assert len({tuple(picture.flatten().tolist()) for picture in batch}) == 64
    assert 0 <= batch.min() <= batch.max() <= 1
    np.testing.assert_allclose(batch.sum(dim=(1, 2, 3)), 64, rtol=0.35)  # no image leaves its frame
    overlap = (batch * image).sum(dim=(1, 2, 3)) / 64
    assert overlap.min() > 0.2


def test_transforms_see_single_images_with_channels():
    shapes = []

    def flip(image):
        shapes.append(tuple(image.shape))
        return image.flip(-1)

    samples = torch.rand(3, 2, 8, 6)
    torch.testing.assert_close(transformed(samples, flip), samples.flip(-1))
    assert shapes == [(1, 8, 6)] * 6
    coloured = torch.rand(3, 2, 3, 8, 6)
    torch.testing.assert_close(transformed(coloured, flip), coloured.flip(-1))


def test_torchvision_transforms_and_networks_serve_as_they_are():
    pytest.importorskip("PIL")
    from sklearn_eql.vision import import_torchvision

    try:
        import_torchvision()
    except ImportError as error:
        pytest.skip(f"torchvision: {error}")
    from torchvision import models, transforms

    samples = torch.rand(2, 2, 16, 16)
    assert transformed(samples, transforms.RandomAffine(10)).shape == samples.shape
    encoder = build_encoder(lambda: models.squeezenet1_1(num_classes=1), (3, 64, 64), 1)
    assert encoder(torch.rand(2, 3, 64, 64)).shape == (2, 1)
