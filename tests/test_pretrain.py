"""The command line of training."""

import pytest

from sklearn_eql.language.weights import read_weights
from sklearn_eql.pretrain import main

FEW = [
    "--preset",
    "integers-1d",
    "--batch-size",
    "4",
    "--test-size",
    "4",
    "--curve-size",
    "2",
    "--precision",
    "float32",
]


def test_it_trains_writes_weights_and_goes_on(tmp_path, capsys):
    output, checkpoint = tmp_path / "weights.npz", tmp_path / "run.pt"
    held_out = tmp_path / "held_out.txt"
    held_out.write_text("add x0 1\n\nsin square x0\n")
    command = [
        *FEW,
        "--steps",
        "2",
        "--output",
        str(output),
        "--checkpoint",
        str(checkpoint),
        "--hold-out",
        str(held_out),
    ]
    assert main([*command, "--max-time", "0"]) == 0
    assert "max_time is over" in capsys.readouterr().out
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "step       2,          8 expressions" in shown
    assert "of 4 unseen expressions" in shown
    _, vocabulary, notes = read_weights(output)
    assert vocabulary.tokens[-1] == "9"
    assert notes["curves"][-1]["step"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--checkpoint", "no/such/folder/run.pt"], "there is no folder"),
        (["--hold-out", "no_such_file.txt"], "no_such_file.txt"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, options, message):
    assert main([*FEW, "--output", str(tmp_path / "weights.npz"), *options]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
