"""XML files of Pascal VOC as the many tools that write them leave it."""

import pytest
from convert_sources import voc_object, voc_xml

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.voc_xml import read_annotation
from tradeoffs.errors import UserError


@pytest.fixture
def read(tmp_path):
    """What `read_annotation` makes of a file's bytes, and the lines it has to say."""

    def run(content):
        file, findings = tmp_path / "a.xml", Findings()
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_annotation(file, findings), findings.lines()

    return run


@pytest.mark.parametrize(
    ("text", "difficult", "said"),
    [
        *[(text, True, False) for text in ("1", "1.0", "True", "true", " 1 ", "yes", "2")],
        *[(text, False, False) for text in ("0", "0.0", "False", "", " ", "Unspecified", "no", "None")],
        *[(text, False, True) for text in ("perhaps", "nan", "inf")],
    ],
)
def test_difficult_is_yes_or_no_in_any_spelling(read, text, difficult, said):
    annotation, lines = read(voc_xml(voc_object(more=f"<difficult>{text}</difficult>")))
    assert annotation.objects[0].difficult is difficult
    assert lines == ([f"<difficult>{text}</difficult>, taken for no: 1 (first: a.xml)"] if said else [])


def test_what_is_not_used_may_hold_anything(read):
    more = "<pose/><truncated>-</truncated><occluded>x</occluded><part><name>head</name><bndbox/></part>"
    annotation, lines = read(voc_xml(voc_object(more=more)))
    assert annotation.objects == [("cat", [11, 11, 40, 30], False)] and lines == []


@pytest.mark.parametrize(
    ("box", "edges"),
    [(("11.5", " 11 ", "4e1", "\n30\t"), [11.5, 11, 40, 30]), ((-3, 0, 200, 51), [-3, 0, 200, 51])],
)
def test_edges_are_numbers_of_any_kind(read, box, edges):
    assert read(voc_xml(voc_object(box)))[0].objects[0].box == edges


@pytest.mark.parametrize("edge", ["x", "", " ", "nan", "inf", "-inf", "12,5", "1e400", "3 4", "1_0"])
def test_an_edge_that_is_no_number_is_a_fault(read, edge):
    with pytest.raises(UserError, match=r"a\.xml: an object cat has .* as bndbox; expected four numbers"):
        read(voc_xml(voc_object((11, edge, 40, 30))))


def test_objects_without_a_box_are_told_apart(read):
    polygon = "<object><name>cat</name><polygon><x1>1</x1><y1>2</y1></polygon></object>"
    assert read(voc_xml(polygon))[0].objects == [("cat", None, False)]
    with pytest.raises(UserError, match=r"has .*None.* as bndbox"):
        read(voc_xml("<object><name>cat</name><bndbox><xmin>1</xmin></bndbox></object>"))
    with pytest.raises(UserError, match="an object cat has 2 <bndbox>; give each box an <object>"):
        read(voc_xml(voc_object(more="<bndbox/>")))


@pytest.mark.parametrize("name", ["<name> cat </name>", "<name>\n\tcat\n</name>", "<name><![CDATA[cat]]></name>"])
def test_blanks_around_a_name_are_none_of_it(read, name):
    assert read(voc_xml(voc_object(name=name)))[0].objects[0].name == "cat"


@pytest.mark.parametrize("name", ["", "<name/>", "<name></name>", "<name> \n</name>"])
def test_an_object_without_a_name_is_a_fault(read, name):
    with pytest.raises(UserError, match=r"a\.xml: an object has no name"):
        read(voc_xml(voc_object(name=name)))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((100, 50), (100, 50)), (("100.0", " 50 "), (100, 50)), ((0, 0), None), (("", ""), None), (None, None)],
)
def test_the_size_that_was_annotated(read, size, expected):
    assert read(voc_xml(voc_object(), size=size))[0].size == expected


@pytest.mark.parametrize("size", [("x", 50), (99.5, 50), ("nan", 50)])
def test_a_size_that_is_none(read, size):
    with pytest.raises(UserError, match=r"a\.xml: its <size> is .*; expected two whole numbers"):
        read(voc_xml(voc_object(), size=size))


def test_only_the_last_part_of_a_file_name_counts(read):
    for text in ("C:\\photos\\my cat.JPG", "/home/me/my cat.JPG", "my cat.JPG"):
        assert read(voc_xml(f"<filename>{text}</filename>"))[0].file_name == "my cat.JPG"


def test_namespaces_other_cases_and_a_list_of_objects(read):
    spaced = voc_xml(voc_object()).replace("<annotation>", '<annotation xmlns="http://example.org/voc">')
    upper = voc_xml(voc_object()).replace("object>", "Object>").replace("annotation>", "Annotation>")
    nested = voc_xml("<objects>", voc_object(), voc_object(), "</objects>")
    assert [len(read(text)[0].objects) for text in (spaced, upper, nested)] == [1, 1, 2]


CAT = voc_xml(voc_object(name="<name>猫</name>"))


@pytest.mark.parametrize(
    "content",
    [
        f'<?xml version="1.0" encoding="gb2312"?>{CAT}'.encode("gb2312"),
        f'<?xml version="1.0" encoding="Shift_JIS"?>{CAT}'.encode("shift_jis"),
        f'<?xml version="1.0" encoding="Big5"?>{CAT}'.replace("猫", "貓").encode("big5"),
        f'<?xml version="1.0" encoding="utf-16"?>{CAT}'.encode("utf-16"),
        f'<?xml version="1.0" encoding="utf-16"?>{CAT}'.encode(),  # as .NET writes it
        CAT.encode("utf-16-le"),
        CAT.encode("utf-16-be"),
        CAT.encode("utf-32"),
        CAT.encode("utf-8-sig"),
        f'\r\n <?xml version="1.0"?>{CAT}\r\n'.encode(),
    ],
)
def test_encodings(read, content):
    annotation, lines = read(content)
    assert annotation.objects[0].name in "猫貓" and lines == []


@pytest.mark.parametrize("encoding", ["utf8mb4", "rot13", "hex", "undefined", "idna"])
def test_an_unknown_encoding_is_read_as_utf_8_and_said(read, encoding):
    annotation, lines = read(f'<?xml version="1.0" encoding="{encoding}"?>{CAT}')
    assert annotation.objects[0].name == "猫"
    assert lines == [f"XML of the unknown encoding {encoding}, read as UTF-8: 1 (first: a.xml)"]


def test_bytes_of_another_encoding_matter_in_names_only(read):
    with pytest.raises(UserError, match=r"a\.xml: the name 'c.t' is not in the encoding of the file"):
        read(voc_xml(voc_object(name="<name>cät</name>")).encode("latin-1"))
    annotation, lines = read(voc_xml("<path>C:\\Käse</path>", voc_object()).encode("latin-1"))
    assert annotation.objects[0].name == "cat" and "bytes that are not of its encoding" in lines[0]


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE annotation>",
        '<!DOCTYPE annotation SYSTEM "voc.dtd">',
        '<!DOCTYPE annotation [<!ENTITY cat SYSTEM "file:///etc/hostname">]>',
        f'<!DOCTYPE annotation [<!ENTITY l0 "ha">{LAUGHS}]>',
    ],
)
def test_document_types_are_refused(read, doctype):
    with pytest.raises(UserError, match=r"a\.xml has a document type"):
        read(doctype + voc_xml(voc_object(name="<name>&cat;&l11;</name>")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is broken XML: no element found"),
        (b" \n", "is broken XML: no element found"),
        (b"cat 1 2 3 4", "is broken XML"),
        (b'{"shapes": []}', "is broken XML"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is broken XML"),
        (b"<annotation><object>", "is broken XML"),
        (b"<annotation>&cat;</annotation>", "is broken XML: undefined entity"),
        (b"<annotations><image/></annotations>", "is no annotation of Pascal VOC: its root is <annotations>"),
    ],
)
def test_files_that_are_no_annotations(read, content, message):
    with pytest.raises(UserError, match=rf"a\.xml {message}"):
        read(content)
