import pytest

from mockmail.mime.parameters import decoded, parse_content_type, parse_disposition, parse_language


@pytest.mark.parametrize(
    ("value", "media", "parameters"),
    [
        (b"text/plain", "text/plain", {}),
        (b"TEXT/HTML; Charset=UTF-8", "text/html", {"charset": "UTF-8"}),
        (b"text/plain; charset=us-ascii (Plain text)", "text/plain", {"charset": "us-ascii"}),
        (b'text/plain; charset="us-ascii"', "text/plain", {"charset": "us-ascii"}),
        (b"text / plain ;charset = us-ascii", "text/plain", {"charset": "us-ascii"}),
        (b'multipart/mixed; boundary="gc0pJq0M:08jU534c0p"', "multipart/mixed", {"boundary": "gc0pJq0M:08jU534c0p"}),
        (b'multipart/mixed; boundary="a;b=c"; x=y', "multipart/mixed", {"boundary": "a;b=c", "x": "y"}),
        (b'a/b; name="say \\"hi\\""', "a/b", {"name": 'say "hi"'}),
        (b'a/b; name="C:\\dir\\file.txt"', "a/b", {"name": "C:\\dir\\file.txt"}),
        (b"a/b; name=my file.pdf; x=1", "a/b", {"name": "my file.pdf", "x": "1"}),
        (b"a/b;; ;name=x;", "a/b", {"name": "x"}),
        (b'a/b; name="open', "a/b", {"name": "open"}),
        (b"a/b; name=first; name=second", "a/b", {"name": "first"}),
        (b"a/b; name=", "a/b", {"name": ""}),
        (b"a/b; name", "a/b", {}),
        (b"a/b name=x", "a/b", {}),
        ("a/b; name=grün".encode("latin-1"), "a/b", {"name": "grün"}),
        ("a/b; name=grün".encode(), "a/b", {"name": "grün"}),
        # encoded words, against RFC 2047 but everywhere
        (b'a/b; name="=?utf-8?B?Z3LDvG4=?="', "a/b", {"name": "grün"}),
        # RFC 2231 sections 3 and 4
        (
            b'message/external-body; access-type=URL; URL*0="ftp://"; URL*1="cs.utk.edu/pub/moore/bulk-mailer.tar"',
            "message/external-body",
            {"access-type": "URL", "url": "ftp://cs.utk.edu/pub/moore/bulk-mailer.tar"},
        ),
        (
            b"application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
            "application/x-stuff",
            {"title": "This is ***fun***"},
        ),
        (
            (
                b"application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20; "
                b'title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2="isn\'t it!"'
            ),
            "application/x-stuff",
            {"title": "This is even more ***fun*** isn't it!"},
        ),
        (b"a/b; n*1=b; n*0=a", "a/b", {"n": "ab"}),
        (b"a/b; n*0=a; n*2=c", "a/b", {"n": "a"}),
        (b"a/b; n*1=b", "a/b", {}),
        (b"a/b; n=plain; n*=utf-8''ext%C3%A9", "a/b", {"n": "exté"}),
        (b"a/b; n*=no-quotes%20", "a/b", {"n": "no-quotes "}),
        (b"a/b; n*=nonsense''%C3%BC%zz", "a/b", {"n": "ü%zz"}),
        (b"a/b; *=x; n**=y", "a/b", {"*": "x", "n**": "y"}),
        # no media type at all is text/plain
        (b"", "text/plain", {}),
        (b"text", "text/plain", {}),
        (b"/plain; a=b", "text/plain", {}),
        (b"text/; charset=x", "text/plain", {}),
    ],
)
def test_content_types(value, media, parameters):
    content_type = parse_content_type(value)
    assert f"{content_type.maintype}/{content_type.subtype}" == media
    assert decoded(content_type.parameters) == parameters


def test_parameters_are_also_there_as_written():
    content_type = parse_content_type(b"a/b; Name*0*=x; Name*1=y")
    assert content_type.parameters == ((b"Name*0*", b"x"), (b"Name*1", b"y"))
    assert content_type.get(b"name*1") == b"y"
    assert content_type.get(b"none") is None


@pytest.mark.parametrize(
    ("value", "kind", "parameters"),
    [
        (b"inline", "inline", {}),
        (b"Attachment; filename=genome.jpeg; size=3", "attachment", {"filename": "genome.jpeg", "size": "3"}),
        (b"attachment; filename*=utf-8''%e2%82%ac%20rates", "attachment", {"filename": "€ rates"}),
        (b'attachment;filename="a";', "attachment", {"filename": "a"}),
    ],
)
def test_dispositions(value, kind, parameters):
    disposition = parse_disposition(value)
    assert disposition is not None
    assert disposition.kind == kind
    assert decoded(disposition.parameters) == parameters


def test_no_disposition_and_languages():
    assert parse_disposition(b"") is None
    assert parse_disposition(b"; filename=x") is None
    assert parse_language(b"de, en-GB ,") == (b"de", b"en-GB")
    assert parse_language(b"") == ()


@pytest.mark.parametrize(
    "value",
    [
        b";" * 50_000,
        b"=" * 50_000,
        b"a/b" + b"; x" * 50_000,
        b"a/b" + b"; x=y" * 50_000,
        b"a/b; x=" + b'"' * 50_000,
        b'a/b; x="' + b"\\" * 50_000,
        b"(" * 50_000,
        b"()" * 50_000,
        b"a/b; " + b" " * 50_000,
        b"a/b; n=" + b" (" * 50_000,
        b"a/b; " + b"".join(b"n*%d=x;" % number for number in range(5_000)),
    ],
)
def test_hostile_values(value):
    content_type = parse_content_type(value)
    assert len(content_type.parameters) <= 200
    assert len("".join(decoded(content_type.parameters).values())) <= len(value)
    assert parse_disposition(value) is None or value.startswith(b"a")
