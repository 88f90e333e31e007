"""Tables in the dialects that programs write: what is beyond doubt is found, what is not is asked."""

import bz2
import gzip
import io
import lzma
import sys
import types
import zipfile

import numpy as np
import pandas as pd
import pytest
import sympy

from sklearn_eql._display import pasteable_names
from sklearn_eql.exceptions import UnreadableTableError
from sklearn_eql.reading.csv_tables import read_csv

NUMBERS = {"a": [1.5, 2.0, -3.25], "y": [1000.5, 0.0, 1e-3]}


@pytest.fixture
def written(tmp_path):
    """Write text or bytes, and read the table back."""

    def read(content, **options):
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_csv(path, **options)

    return read


DIALECTS = {
    "comma": "a,y\n1.5,1000.5\n2,0\n-3.25,1e-3\n",
    "semicolon": "a;y\n1.5;1000.5\n2;0\n-3.25;1e-3\n",
    "tab": "a\ty\n1.5\t1000.5\n2\t0\n-3.25\t1e-3\n",
    "bar": "a|y\n1.5|1000.5\n2|0\n-3.25|1e-3\n",
    "white space": "  a      y\n1.5   1000.5\n2.0    0.0\n-3.25  1e-3",
    "decimal comma": "a;y\n1,5;1000,5\n2;0\n-3,25;1e-3\n",
    "decimal comma, quoted": 'a,y\n"1,5","1000,5"\n2,0\n"-3,25",0.001\n'.replace("0.001", '"0,001"'),
    "points between thousands": "a;y\n1,5;1.000,5\n2;0\n-3,25;0,001\n",
    "commas between thousands": 'a,y\n1.5,"1,000.5"\n2,0\n-3.25,0.001\n',
    "Excel's own line": "sep=;\na;y\n1,5;1000,5\n2;0\n-3,25;1e-3\n",
    "an odd separator, told": "sep=:\na:y\n1.5:1000.5\n2:0\n-3.25:1e-3\n",
    "remarks": "# made by hand, on a Monday\n\n#\na,y\n1.5,1000.5\n# the next is doubtful\n2,0\n-3.25,1e-3\n#end",
    "a comma at the end": "a,y,\n1.5,1000.5,\n2,0,\n-3.25,1e-3,\n",
    "a comma at the end of rows": "a,y\n1.5,1000.5,\n2,0,\n-3.25,1e-3,\n",
    "spaces": " a , y \n 1.5 , 1000.5 \n 2 ,0\n-3.25, 1e-3 \n",
    "old line ends": "a,y\r1.5,1000.5\r2,0\r-3.25,1e-3\r",
    "Windows": "a,y\r\n1.5,1000.5\r\n2,0\r\n-3.25,1e-3\r\n",
    "blank lines": "\n\na,y\n\n1.5,1000.5\n2,0\n\n-3.25,1e-3\n\n",
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialects_are_found(written, dialect):
    table = written(DIALECTS[dialect])
    pd.testing.assert_frame_equal(table.frame, pd.DataFrame(NUMBERS))
    assert table.index is None
    assert table.has_names


PACKED = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "UTF-8 with mark": lambda raw: b"\xef\xbb\xbf" + raw,
    "UTF-16": lambda raw: raw.decode().encode("utf-16"),
    "UTF-16 without mark": lambda raw: raw.decode().encode("utf-16-le"),
    "UTF-16, other end first": lambda raw: raw.decode().encode("utf-16-be"),
    "UTF-32": lambda raw: raw.decode().encode("utf-32"),
    "packed UTF-16": lambda raw: gzip.compress(raw.decode().encode("utf-16")),
}


@pytest.mark.parametrize("how", PACKED)
def test_packed_and_encoded_files_are_read(written, how):
    table = written(PACKED[how](DIALECTS["comma"].encode()))
    pd.testing.assert_frame_equal(table.frame, pd.DataFrame(NUMBERS))
    assert table.notes == []


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def test_the_only_file_of_a_zip_archive_is_read(written):
    assert written(zipped(table=DIALECTS["comma"])).frame.shape == (3, 2)


def test_latin_1_is_read_and_told(written):
    table = written("größe,y\n1,2\n2,3\n".encode("latin-1"))
    assert list(table.frame.columns) == ["größe", "y"]
    assert table.notes == ["the text is not UTF-8 and was read as Latin-1; name another with --encoding"]
    assert written("größe,y\n1,2\n".encode("cp850"), encoding="cp850").frame.columns[0] == "größe"


def test_standard_input_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(b"a;y\n1,5;2\n2,5;3\n")))
    np.testing.assert_array_equal(read_csv("-").frame, [[1.5, 2], [2.5, 3]])


def test_marks_of_missing_values_are_gaps(written):
    frame = written("a,b,y\n1,?,3\n ? ,2,-\nNA,n/a,5\n4,7, \n").frame
    np.testing.assert_array_equal(frame["a"], [1, np.nan, np.nan, 4])
    np.testing.assert_array_equal(frame["b"], [np.nan, 2, np.nan, 7])
    np.testing.assert_array_equal(frame["y"], [3, np.nan, 5, np.nan])


def test_a_header_that_is_a_remark_is_taken_for_one(written, tmp_path):
    path = tmp_path / "table.csv"
    np.savetxt(path, [[1.0, 2.0], [3.0, 4.0]], header="made today\na y")
    table = read_csv(path)
    assert list(table.frame.columns) == ["a", "y"]
    assert len(table.frame) == 2
    assert table.notes == ["1 line beginning with # left out"]


def test_names_may_be_numbers(written):
    assert list(written("1,l (m),y\n1,2,3\n4,5,6\n").frame.columns) == ["1", "l (m)", "y"]
    table = written("1,2\n4,5\n")
    assert list(table.frame.columns) == ["1", "2"]
    assert not table.has_names


def test_names_in_quotes_may_hold_separators_and_line_ends(written):
    frame = written('"l, in\nmetres",y\n1,2\n3,4\n').frame
    assert list(frame.columns) == ["l, in metres", "y"]
    assert len(frame) == 2


def test_names_that_are_missing_or_given_twice_are_made_as_pandas_does(written):
    assert list(written("a,,a\n1,2,3\n4,4,6\n").frame.columns) == ["a", "Unnamed: 1", "a.1"]


INDEXES = {
    "pandas": (",a,y\n0,5,6\n1,8,9\n", "Unnamed: 0"),
    "pandas, saved twice": ("Unnamed: 0,a,y\n0,5,6\n1,8,9\n", "Unnamed: 0"),
    "rows left out": (",a,y\n0,5,6\n7,8,9\n", "Unnamed: 0"),
    "text": (",a,y\nann,5,6\nbob,8,9\n", "Unnamed: 0"),
    "R": ('"a","y"\n"1",5,6\n"2",8,9\n', "Unnamed: 0"),
    "measured": (",a,y\n0.5,5,6\n1.5,8,9\n", None),
    "with a name": ("n,a,y\n0,5,6\n1,8,9\n", None),
}


@pytest.mark.parametrize("case", INDEXES)
def test_labels_of_rows_are_recognised(written, case):
    content, index = INDEXES[case]
    table = written(content)
    assert table.index == index
    assert table.frame["y"].tolist() == [6, 9]


def test_text_stays_text(written):
    frame = written("a,y\nred,1\n12 m,2\n,3\n").frame
    assert frame["a"].tolist()[:2] == ["red", "12 m"]
    assert frame["a"].isna().tolist() == [False, False, True]


def test_a_comma_that_may_part_thousands_is_refused_until_told(written):
    content = "a\ty\n1,234\t1\n2,345\t2\n"
    with pytest.raises(UnreadableTableError, match=r"1,234 may be a thousand or a decimal fraction; say --decimal \."):
        written(content)
    assert written(content, decimal=",").frame["a"].tolist() == [1.234, 2.345]
    assert written(content, decimal=".").frame["a"].tolist() == [1234, 2345]


def test_what_is_told_wins(written):
    assert list(written("a;b,y\n1;2,3\n4;5,6\n", sep=",").frame.columns) == ["a;b", "y"]
    assert written("a b,y\n1 2,3\n", sep="space").frame.shape == (1, 2)
    assert written("a,y\n1,5\n", sep="tab").frame.shape == (1, 1)


REFUSED = {
    "nothing": (b"", "is empty; expected a header line"),
    "remarks only": (b"# a\n# b\n", "holds nothing but remarks"),
    "no rows": (b"a,y\n", "has a header but no rows"),
    "no rows, but a remark": (b"a,y\n# later\n", "has a header but no rows"),
    "one column": (b"y\n1\n2\n", "has one column only .'y'.*--sep"),
    "a long row": (b"a,y\n1,2\n1,2,3,4\n", r"a row has 4 cells \(1, 2, 3, 4\), the header 2; correct it"),
    "a long row far down": (b"a,y\n" + b"1,2\n" * 300 + b"1,2,3,4\n", "is not a CSV table"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x01\x02", "is not text; save the table as CSV"),
    "a spreadsheet": (zipped(**{"[Content_Types].xml": "", "xl": ""}), "is a spreadsheet.*save the sheet as CSV"),
    "several files": (zipped(a="", b=""), "holds 2 files, expected one; unpack"),
    "half of a packed file": (gzip.compress(bytes(range(256)) * 20)[:200], "is packed, and damaged.*copy it again"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_table_is_refused_with_its_cure(written, case):
    content, message = REFUSED[case]
    with pytest.raises(UnreadableTableError, match=f"(?s){message}"):
        written(content)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sep": "ab"}, "--sep 'ab': expected one character, tab or space"),
        ({"encoding": "utf-9"}, "--encoding utf-9 is unknown; use a name such as utf-8"),
        ({"encoding": "ascii"}, "is not text in ascii.*name another with --encoding"),
    ],
)
def test_options_that_do_not_fit_are_refused(written, options, message):
    with pytest.raises(UnreadableTableError, match=message):
        written("größe,y\n1,2\n", **options)


def test_names_can_be_pasted_into_python_and_sympy():
    given = ["l (m)", "1", "lambda", "E", "beta", "size", "größe", "a-b", "a b", "a_b", "%", "x_1", "sin"]
    names = pasteable_names(given)
    assert names["l (m)"] == "l_m"
    assert names["size"] == "size"
    assert names["a_b"] == "a_b"
    assert len(set(names.values())) == len(given)
    for name in names.values():
        assert sympy.sympify(f"2*{name}") == 2 * sympy.Symbol(name)
        assert eval(name, {name: 3}) == 3
