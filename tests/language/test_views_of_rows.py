"""A network is asked with all rows and with parts of them; every form that it writes comes once."""

import numpy as np
from written_laws import untrained_writer

from sklearn_eql.language.open_form import form_of
from sklearn_eql.language.writer import _views


def test_views_are_all_rows_half_and_quarters():
    views = _views(64, 4, 8, 0)
    assert sorted(views.sum(axis=1).tolist()) == [16, 16, 32, 64]
    np.testing.assert_array_equal(views, _views(64, 4, 8, 0))


def test_views_have_as_many_rows_as_the_network_reads():
    assert _views(10, 4, 8, 0).sum(axis=1).min() == 8
    assert len(_views(8, 4, 8, 0)) == 1


def test_forms_come_once():
    writer = untrained_writer(2)
    X = np.random.default_rng(0).uniform(1, 2, (40, 2))
    y = X[:, 0] * X[:, 1]
    laws = writer.write(X, y, 8, n_views=4)
    forms = [form_of(law.expression) for law in laws]
    assert len(set(forms)) == len(forms) > 0
    chances = [law.log_probability for law in laws]
    assert chances == sorted(chances, reverse=True)
