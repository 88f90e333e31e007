"""Garbage is collected while objects from before are left alone, and afterwards all is as it was."""

import gc
import weakref

import pytest

from sklearn_eql._garbage import known_objects_left_alone


class Node:
    """Part of a cycle."""


def a_cycle():
    node = Node()
    node.itself = node
    return weakref.ref(node)


def test_new_garbage_is_collected_inside():
    with known_objects_left_alone():
        gone = a_cycle()
        gc.collect()
        assert gone() is None


def test_old_garbage_is_collected_afterwards():
    gc.disable()
    try:
        gone = a_cycle()
        with known_objects_left_alone():
            gc.collect()
            assert gone() is not None
    finally:
        gc.enable()
    gc.collect()
    assert gone() is None


def test_an_error_inside_changes_nothing():
    before = gc.get_freeze_count()
    with pytest.raises(KeyError), known_objects_left_alone():
        raise KeyError
    assert gc.get_freeze_count() == before


def test_what_a_user_has_set_aside_stays_so():
    gc.freeze()
    try:
        count = gc.get_freeze_count()
        with known_objects_left_alone(), known_objects_left_alone():
            pass
        assert gc.get_freeze_count() >= count - 10  # some of them may have been freed
    finally:
        gc.unfreeze()
