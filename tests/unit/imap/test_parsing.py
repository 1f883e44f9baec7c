"""Commands of RFC 3501 and its extensions, as their documents and their clients write them."""

import datetime

import pytest

from mockmail.imap.arguments import FetchAtt
from mockmail.imap.commands import (
    Append,
    Authenticate,
    Command,
    Create,
    Enable,
    Expunge,
    Fetch,
    Id,
    List,
    Login,
    OnMailbox,
    Rename,
    Search,
    Select,
    Status,
    Store,
    Transfer,
)
from mockmail.imap.extensions import ALL_UNDERSTOOD, EXTENSIONS, understood
from mockmail.imap.fetch.body import Section
from mockmail.imap.parsing import parse, secret_spans
from mockmail.imap.search.keys import And, Flag, Header, InternalDate, Needle, Not, Text
from mockmail.imap.sets import SequenceSet
from mockmail.imap.tokens import BadSyntax

MINUS_8 = datetime.timezone(datetime.timedelta(hours=-8))


def numbers(text: str) -> SequenceSet:
    return SequenceSet.parse(text.encode())


RFC_3501_EXAMPLES = [
    (b"abcd CAPABILITY", Command("abcd", "CAPABILITY", False)),
    (b"efgh STARTTLS", Command("efgh", "STARTTLS", False)),
    (b"a047 NOOP", Command("a047", "NOOP", False)),
    (b"A023 LOGOUT", Command("A023", "LOGOUT", False)),
    (b"a004 LOGIN joe password", Login("a004", "LOGIN", False, "joe", "password")),
    (b"A001 AUTHENTICATE GSSAPI", Authenticate("A001", "AUTHENTICATE", False, "GSSAPI", None)),
    (b"a001 LOGIN SMITH SESAME", Login("a001", "LOGIN", False, "SMITH", "SESAME")),
    (b"A142 SELECT INBOX", Select("A142", "SELECT", False, "INBOX")),
    (b"A932 EXAMINE blurdybloop", Select("A932", "EXAMINE", False, "blurdybloop")),
    (b"A003 CREATE owatagusiam/", Create("A003", "CREATE", False, "owatagusiam/")),
    (b"A004 CREATE owatagusiam/blurdybloop", Create("A004", "CREATE", False, "owatagusiam/blurdybloop")),
    (b'A682 LIST "" *', List("A682", "LIST", False, "", "*")),
    (b"A683 DELETE blurdybloop", OnMailbox("A683", "DELETE", False, "blurdybloop")),
    (b"A685 DELETE foo/bar", OnMailbox("A685", "DELETE", False, "foo/bar")),
    (b'A86 LIST "" %', List("A86", "LIST", False, "", "%")),
    (b"A683 RENAME blurdybloop sarasoop", Rename("A683", "RENAME", False, "blurdybloop", "sarasoop")),
    (b"Z433 RENAME INBOX old-mail", Rename("Z433", "RENAME", False, "INBOX", "old-mail")),
    (b"A002 SUBSCRIBE #news.comp.mail.mime", OnMailbox("A002", "SUBSCRIBE", False, "#news.comp.mail.mime")),
    (b"A002 UNSUBSCRIBE #news.comp.mail.mime", OnMailbox("A002", "UNSUBSCRIBE", False, "#news.comp.mail.mime")),
    (b'A101 LIST "" ""', List("A101", "LIST", False, "", "")),
    (b'A102 LIST #news.comp.mail.misc ""', List("A102", "LIST", False, "#news.comp.mail.misc", "")),
    (b'A103 LIST /usr/staff/jones ""', List("A103", "LIST", False, "/usr/staff/jones", "")),
    (b"A202 LIST ~/Mail/ %", List("A202", "LIST", False, "~/Mail/", "%")),
    (b'A002 LSUB "#news." "comp.mail.*"', List("A002", "LSUB", False, "#news.", "comp.mail.*")),
    (b'A003 LSUB "#news." "comp.%"', List("A003", "LSUB", False, "#news.", "comp.%")),
    (
        b"A042 STATUS blurdybloop (UIDNEXT MESSAGES)",
        Status("A042", "STATUS", False, "blurdybloop", ("UIDNEXT", "MESSAGES")),
    ),
    (
        b"A003 APPEND saved-messages (\\Seen) {12}\r\nHello Joe,\r\n",
        Append("A003", "APPEND", False, "saved-messages", ("\\Seen",), None, b"Hello Joe,\r\n"),
    ),
    (b"FXXZ CHECK", Command("FXXZ", "CHECK", False)),
    (b"A341 CLOSE", Command("A341", "CLOSE", False)),
    (b"A202 EXPUNGE", Expunge("A202", "EXPUNGE", False, None)),
    (
        b'A282 SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"',
        Search(
            "A282",
            "SEARCH",
            False,
            None,
            And(
                (
                    Flag("\\Flagged"),
                    InternalDate(">=", datetime.date(1994, 2, 1)),
                    Not(Header(b"from", Needle("smith"))),
                )
            ),
        ),
    ),
    (
        b'A283 SEARCH TEXT "string not in mailbox"',
        Search("A283", "SEARCH", False, None, Text(Needle("string not in mailbox"))),
    ),
    (
        b"A284 SEARCH CHARSET UTF-8 TEXT {6}\r\n\xd0\xaf\xd0\xaf\xd0\xaf",
        Search("A284", "SEARCH", False, "UTF-8", Text(Needle("яяя"))),
    ),
    (
        b"A654 FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])",
        Fetch(
            "A654",
            "FETCH",
            False,
            numbers("2:4"),
            (FetchAtt("FLAGS"), FetchAtt("BODY[]", Section((), "HEADER.FIELDS", (b"DATE", b"FROM")))),
        ),
    ),
    (b"A003 STORE 2:4 +FLAGS (\\Deleted)", Store("A003", "STORE", False, numbers("2:4"), "+", False, ("\\Deleted",))),
    (b"A003 COPY 2:4 MEETING", Transfer("A003", "COPY", False, numbers("2:4"), "MEETING")),
    (
        b"A999 UID FETCH 4827313:4828442 FLAGS",
        Fetch("A999", "FETCH", True, numbers("4827313:4828442"), (FetchAtt("FLAGS"),)),
    ),
    (b"A223 COPY 3:200 blurdybloop", Transfer("A223", "COPY", False, numbers("3:200"), "blurdybloop")),
    (b"A001 LOGIN {11}\r\nFRED FOOBAR {7}\r\nfat man", Login("A001", "LOGIN", False, "FRED FOOBAR", "fat man")),
    (b"a001 login mrc secret", Login("a001", "LOGIN", False, "mrc", "secret")),
    (b"a002 select inbox", Select("a002", "SELECT", False, "INBOX")),
    (
        b"a003 fetch 12 full",
        Fetch(
            "a003",
            "FETCH",
            False,
            numbers("12"),
            tuple(map(FetchAtt, ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"))),
        ),
    ),
    (
        b"a004 fetch 12 body[header]",
        Fetch("a004", "FETCH", False, numbers("12"), (FetchAtt("BODY[]", Section((), "HEADER")),)),
    ),
    (b"a005 store 12 +flags \\deleted", Store("a005", "STORE", False, numbers("12"), "+", False, ("\\Deleted",))),
]


@pytest.mark.parametrize(("line", "value"), RFC_3501_EXAMPLES)
def test_examples_of_rfc_3501(command, line, value):
    assert command(line) == value


def test_every_command_has_its_class(command):
    assert type(command(b"a NOOP")) is Command


@pytest.mark.parametrize("line", [b"A442 XPIG-LATIN", b"A044 BLURDYBLOOP {3}\r\nabc"])
def test_examples_of_unknown_commands(command, line):
    with pytest.raises(BadSyntax, match="Unknown command ") as caught:
        command(line)
    assert caught.value.tag == line.split()[0].decode()


EXTENSION_EXAMPLES = [
    (b"A002 IDLE", Command("A002", "IDLE", False)),
    (b"A003 UID EXPUNGE 3000:3002", Expunge("A003", "EXPUNGE", True, numbers("3000:3002"))),
    (b"a UID MOVE 42:69 foo", Transfer("a", "MOVE", True, numbers("42:69"), "foo")),
    (b"a MOVE 1,3 foo", Transfer("a", "MOVE", False, numbers("1,3"), "foo")),
    (b"A341 UNSELECT", Command("A341", "UNSELECT", False)),
    (b"A001 NAMESPACE", Command("A001", "NAMESPACE", False)),
    (b"a023 ID NIL", Id("a023", "ID", False, None)),
    (b"a023 ID ()", Id("a023", "ID", False, ())),
    (
        b'a023 ID ("name" "sodr" "version" "19.34" "vendor" NIL)',
        Id("a023", "ID", False, (("name", "sodr"), ("version", "19.34"), ("vendor", None))),
    ),
    (b"t2 ENABLE CONDSTORE X-GOOD-IDEA", Enable("t2", "ENABLE", False, ("CONDSTORE", "X-GOOD-IDEA"))),
    (
        b"A01 AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=",
        Authenticate("A01", "AUTHENTICATE", False, "PLAIN", b"dGVzdAB0ZXN0AHRlc3Q="),
    ),
    (b"A01 AUTHENTICATE EXTERNAL =", Authenticate("A01", "AUTHENTICATE", False, "EXTERNAL", b"=")),
    (
        b"t1 CREATE MySpecial (USE (\\Drafts \\sent))",
        Create("t1", "CREATE", False, "MySpecial", ("\\Drafts", "\\Sent")),
    ),
    (b"t1 CREATE Everything (USE ())", Create("t1", "CREATE", False, "Everything", ())),
    (
        b'a LIST "" "%" RETURN (SPECIAL-USE)',
        List("a", "LIST", False, "", "%", frozenset({"SPECIAL-USE"})),
    ),
    (b"A001 LOGIN {11+}\r\nFRED FOOBAR {7+}\r\nfat man", Login("A001", "LOGIN", False, "FRED FOOBAR", "fat man")),
]


@pytest.mark.parametrize(("line", "value"), EXTENSION_EXAMPLES)
def test_examples_of_extensions(command, line, value):
    assert command(line) == value


CLIENTS = [
    pytest.param(b'FAOB1 LOGIN bob@example.test "any \\"\\\\"', "LOGIN", id="imaplib"),
    pytest.param(b"FAOB2 STATUS INBOX (MESSAGES)", "STATUS", id="imaplib"),
    pytest.param(b"FAOB2 FETCH 1 (RFC822)", "FETCH", id="imaplib"),
    pytest.param(b"FAOB2 FETCH 1,2,3 (UID BODY.PEEK[])", "FETCH", id="imaplib"),
    pytest.param(b"FAOB2 STORE 1 +FLAGS (\\Deleted)", "STORE", id="imaplib"),
    pytest.param(b"FAOB2 UID STORE 1 FLAGS.SILENT \\Seen $Forwarded", "STORE", id="imaplib"),
    pytest.param(b'FAOB2 APPEND INBOX (\\Seen) "23-Nov-2026 04:38:40 +0000" {2}\r\nhi', "APPEND", id="imaplib"),
    pytest.param(b"FAOB2 APPEND INBOX () {2}\r\nhi", "APPEND", id="imaplib"),
    pytest.param(b'FAOB2 SEARCH CHARSET utf-8 FROM "x"', "SEARCH", id="imaplib"),
    pytest.param(b"FAOB2 NOOP ", "NOOP", id="trailing space"),
    pytest.param(b"a fetch 1 (FLAGS)  ", "FETCH", id="trailing spaces"),
    pytest.param(b"a Uid Fetch 1:* (Flags Uid)", "FETCH", id="mixed case"),
    pytest.param(b"a CREATE {3}\r\nfoo", "CREATE", id="literal name"),
    pytest.param(b"KJ1 UID SEARCH CHARSET US-ASCII ((FLAGGED) (SEEN))", "SEARCH", id="imap-tools"),
    pytest.param(b'KJ1 UID SEARCH CHARSET UTF-8 (SUBJECT "\xc3\xa9")', "SEARCH", id="imap-tools"),
    pytest.param(b'KJ1 UID SEARCH CHARSET US-ASCII (KEYWORD "abc")', "SEARCH", id="imap-tools"),
    pytest.param(b"KJ1 UID FETCH 1 (BODY.PEEK[] UID FLAGS RFC822.SIZE)", "FETCH", id="imap-tools"),
    pytest.param(b'KJ1 SELECT "INBOX"', "SELECT", id="imap-tools"),
    pytest.param(b'KJ1 UID COPY 1,2 "Sent &AOk-"', "COPY", id="imap-tools"),
    pytest.param(b'KJ1 LIST "" "*"', "LIST", id="imap-tools"),
    pytest.param(b"1 UID FETCH 1:* (FLAGS)", "FETCH", id="mbsync"),
    pytest.param(b'1 APPEND "box" (\\Seen \\Answered) {3+}\r\nabc', "APPEND", id="mbsync"),
    pytest.param(b'1 ID ("name" "Thunderbird" "version" "115.0")', "ID", id="Thunderbird"),
    pytest.param(b'2 list "" "INBOX" return (special-use)', "LIST", id="Thunderbird"),
    pytest.param(
        b"8 UID fetch 1,3:4 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Message-ID)])",
        "FETCH",
        id="Thunderbird",
    ),
    pytest.param(b"8 UID fetch 7 (UID RFC822.SIZE BODY[]<0.20480>)", "FETCH", id="Thunderbird"),
    pytest.param(b"A004 FETCH 1 BODY[]", "FETCH", id="curl"),
    pytest.param(b"A0004 FETCH 1:3 RFC822.SIZE", "FETCH", id="fetchmail"),
    pytest.param(b"A0005 FETCH 1 BODY.PEEK[TEXT]", "FETCH", id="fetchmail"),
    pytest.param(b"A0006 STORE 1 +FLAGS (\\Seen \\Deleted)", "STORE", id="fetchmail"),
]


@pytest.mark.parametrize(("line", "name"), CLIENTS)
def test_habits_of_clients(command, line, name):
    assert command(line).name == name


@pytest.mark.parametrize(
    ("item", "att"),
    [
        (b"BODY[]", FetchAtt("BODY[]", Section())),
        (b"BODY.PEEK[]<0.1>", FetchAtt("BODY[]", Section(), True, (0, 1))),
        (b"BODY[1]", FetchAtt("BODY[]", Section((1,)))),
        (b"BODY[4.2.2.1]", FetchAtt("BODY[]", Section((4, 2, 2, 1)))),
        (b"BODY[4.1.MIME]", FetchAtt("BODY[]", Section((4, 1), "MIME"))),
        (b"BODY[TEXT]", FetchAtt("BODY[]", Section((), "TEXT"))),
        (b"BODY[3.HEADER]", FetchAtt("BODY[]", Section((3,), "HEADER"))),
        (b"body.peek[4.2.text]<5.10>", FetchAtt("BODY[]", Section((4, 2), "TEXT"), True, (5, 10))),
        (b'BODY[1.2.HEADER.FIELDS ("To")]<0.100>',
         FetchAtt("BODY[]", Section((1, 2), "HEADER.FIELDS", (b"To",)), False, (0, 100))),
        (b"BODY[HEADER.FIELDS.NOT (a b)]", FetchAtt("BODY[]", Section((), "HEADER.FIELDS.NOT", (b"a", b"b")))),
        (b"BODY", FetchAtt("BODY")),
        (b"BODYSTRUCTURE", FetchAtt("BODYSTRUCTURE")),
        (b"rfc822.header", FetchAtt("RFC822.HEADER")),
        (b"RFC822.TEXT", FetchAtt("RFC822.TEXT")),
        (b"InternalDate", FetchAtt("INTERNALDATE")),
        (b"ENVELOPE", FetchAtt("ENVELOPE")),
    ],
)  # fmt: skip
def test_fetch_items(command, item, att):
    assert command(b"a FETCH 1 " + item).items == (att,)
    assert command(b"a FETCH 1 (" + item + b" UID " + item + b")").items == (att, FetchAtt("UID"))


def test_header_fields_as_literals(command):
    value = command(b"a FETCH 1 (BODY[HEADER.FIELDS ({4}\r\nDate {4+}\r\nFrom)] UID)")
    assert value.items == (FetchAtt("BODY[]", Section((), "HEADER.FIELDS", (b"Date", b"From"))), FetchAtt("UID"))


@pytest.mark.parametrize("macro", ["ALL", "FAST", "FULL"])
def test_macros(command, macro):
    items = [item.name for item in command(f"a FETCH 1 {macro.lower()}".encode()).items]
    assert items[:3] == ["FLAGS", "INTERNALDATE", "RFC822.SIZE"]
    assert items[3:] == {"ALL": ["ENVELOPE"], "FAST": [], "FULL": ["ENVELOPE", "BODY"]}[macro]


def test_append_with_everything(command):
    line = b'A APPEND "Sent" (\\seen $MDNSent) " 7-Feb-1994 21:52:25 -0800" {3}\r\na\r\n'
    date = datetime.datetime(1994, 2, 7, 21, 52, 25, tzinfo=MINUS_8)
    assert command(line) == Append("A", "APPEND", False, "Sent", ("\\Seen", "$MDNSent"), date, b"a\r\n")


def test_append_does_not_copy_the_literal(frame, command):
    raw = frame(b"A APPEND x {5+}\r\nhello")
    assert parse(raw).message is raw.pieces[1].data


def test_append_needs_a_literal(command):
    with pytest.raises(BadSyntax, match="Expected the message as a literal"):
        command(b"A APPEND x (\\Seen) hello")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"", "The line is empty; a command is a tag, a space and a name"),
        (b"a", "Expected a space and a command after the tag a at byte 2, found the end of the command"),
        (b"a FOO", "Unknown command FOO"),
        (b"a FECTH 1 FLAGS", "Unknown command FECTH; did you mean FETCH?"),
        (b"a UID FECTH 1 FLAGS", "Unknown command UID FECTH; did you mean UID FETCH?"),
        (b"a UID NOOP", "NOOP has no UID form"),
        (b"LOGIN bob any", "Unknown command BOB; LOGIN was taken for the tag, write a tag and a space before it"),
        (b"a NOOP now", "Expected the end of the command at byte 7, found ' now'"),
        (b"a SELECT", "Expected a space and a mailbox name at byte 9, found the end of the command"),
        (b"a SELECT  x", "Expected one space only, and a mailbox name at byte 10, found ' x'"),
        (b'a SELECT ""', "The mailbox name is empty"),
        (b"a SELECT &Jjo", "The mailbox name '&Jjo' has a shift at 0 that does not end in '-'; a plain '&' is '&-'"),
        (b"a SELECT {2}\r\n\xc3\xa9", ("The mailbox name '\\xc3\\xa9' has a byte that is not printable US-ASCII;"
         " write it in modified UTF-7")),
        (b"a SELECT &AAo-", "The mailbox name '&AAo-' has control characters"),
        (b"a FETCH 0 FLAGS", "At byte 9: '0' is not a number, '*' or a range such as 2:4 in a sequence set"),
        (b"a FETCH x FLAGS", "Expected a sequence set, such as 1:3,7 or 5:*, at byte 9, found 'x FLAGS'"),
        (b"a FETCH 1 (ALL)", "The macro ALL stands alone, without parentheses or other items"),
        (b"a FETCH 1 FLAG", "Unknown FETCH item FLAG; did you mean FLAGS?"),
        (b"a FETCH 1 ()", "Expected a FETCH item at byte 12, found ')'"),
        (b"a FETCH 1 ((FLAGS))", "Expected a FETCH item at byte 12, found '(FLAGS))'"),
        (b"a FETCH 1 (FLAGS", "Expected a space and a FETCH item, or ')' at byte 17, found the end of the command"),
        (b"a FETCH 1 BODY[0]", "Expected a part number that does not begin with 0 at byte 16, found '0]'"),
        (b"a FETCH 1 BODY[1.]", ("Expected a part number, HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME"
         " at byte 18, found ']'")),
        (b"a FETCH 1 BODY[MIME]", ("MIME needs a part number before it, as in BODY[1.MIME];"
         " the message's own header is HEADER")),
        (b"a FETCH 1 BODY[1 ", "Expected ']' at the end of the section at byte 17, found ' '"),
        (b"a FETCH 1 BODY[]<0.0>", "Expected a number of octets that does not begin with 0 at byte 20, found '0>'"),
        (b"a FETCH 1 BODY.PEEK", "Expected '[' and a section at byte 20, found the end of the command"),
        (b"a STORE 1 FLAGZ x", "Expected FLAGS, +FLAGS or -FLAGS at byte 11, found 'FLAGZ x'"),
        (b"a STATUS x (MESSAGE)", "Unknown STATUS item MESSAGE; did you mean MESSAGES?"),
        (b"a STATUS x ()", "Expected a STATUS item at byte 13, found ')'"),
        (b'a LIST "" "*" RETURN (CHILDREN)', "Unknown option CHILDREN of LIST; write RETURN (SPECIAL-USE)"),
        (b'a LSUB "" "*" RETURN ()', "Expected the end of the command at byte 14, found ' RETURN ()'"),
        (b"a CREATE x (USE (Sent))", "The attribute Sent of USE lacks its backslash"),
        (b'a APPEND x "31-Feb-1994 00:00:00 +0000" {1}\r\nx', ('Expected a date-time, such as " 7-Feb-1994 21:52:25'
         " -0800\", that exists at byte 12, found '\"31-Feb-1994 00:00:00 +0'...")),
        (b"a APPEND x {3}\r\na\0b", "The literal for the message has a NUL at byte 18, which no literal may hold"),
        (b'a LOGIN b "secret', ("Expected a password: a quoted string ends in a quote, and has backslashes only before"
         " a quote or backslash at byte 11, found something else (not shown)")),
        (b"a AUTHENTICATE PLAIN s*cret", ("Expected an initial response in base64, or '=' at byte 22,"
         " found something else (not shown)")),
    ],
)  # fmt: skip
def test_errors_tell_what_was_expected_and_where(command, line, text):
    with pytest.raises(BadSyntax) as caught:
        command(line)
    assert caught.value.text == text


@pytest.mark.parametrize(("line", "tag"), [(b"", None), (b"+ NOOP", None), (b"a", "a"), (b"a ]\x01", "a")])
def test_errors_have_the_tag_if_there_is_one(command, line, tag):
    with pytest.raises(BadSyntax) as caught:
        command(line)
    assert caught.value.tag == tag


@pytest.mark.parametrize("name", [b"inbox", b"InBoX", b'"INbox"', b"{5}\r\ninbox"])
def test_inbox_is_one_in_any_case(command, name):
    assert command(b"a SELECT " + name).mailbox == "INBOX"


def test_inbox_as_first_level(command):
    assert command(b"a SELECT inbox/Sub").mailbox == "INBOX/Sub"
    assert command(b"a SELECT inboxes").mailbox == "inboxes"


def test_mailbox_names_are_decoded(command):
    assert command(b"a SELECT ~peter/mail/&U,BTFw-/&ZeVnLIqe-").mailbox == "~peter/mail/台北/日本語"


def test_names_are_utf8_once_that_is_enabled(command):
    assert command('a SELECT "é&x"'.encode(), utf8=True).mailbox == "é&x"
    with pytest.raises(BadSyntax, match="is not UTF-8"):
        command(b"a SELECT {1}\r\n\xff", utf8=True)


@pytest.mark.parametrize(
    ("hidden", "line", "text"),
    [
        ("MOVE", b"a MOVE 1 x", "MOVE is not available here"),
        ("MOVE", b"a UID MOVE 1 x", "UID MOVE is not available here"),
        ("UIDPLUS", b"a UID EXPUNGE 1", "UID EXPUNGE is not available here"),
        ("IDLE", b"a IDLE", "IDLE is not available here"),
        ("ID", b"a ID NIL", "ID is not available here"),
        ("ENABLE", b"a ENABLE X", "ENABLE is not available here"),
        ("NAMESPACE", b"a NAMESPACE", "NAMESPACE is not available here"),
        ("UNSELECT", b"a UNSELECT", "UNSELECT is not available here"),
        ("SASL-IR", b"a AUTHENTICATE PLAIN AA==", "An initial response is not available here"),
        ("SPECIAL-USE", b'a LIST "" * RETURN (SPECIAL-USE)', "RETURN is not available here"),
        ("CREATE-SPECIAL-USE", b"a CREATE x (USE (\\Sent))", "Parameters of CREATE are not available here"),
    ],
)
def test_what_is_off_is_not_understood(command, hidden, line, text):
    assert command(line, ALL_UNDERSTOOD).tag == "a"
    with pytest.raises(BadSyntax, match=text):
        command(line, understood({row.name for row in EXTENSIONS} - {hidden}))


@pytest.mark.parametrize(
    ("line", "secrets"),
    [
        (b"a LOGIN bob secret", [b"secret"]),
        (b'a login "b ob" "se cret"', [b'"se cret"']),
        (b"a LOGIN {3}\r\nbob {6}\r\nsecret", [b"secret"]),
        (b"a LOGIN bob {6+}\r\nsecret", [b"secret"]),
        (b'a LOGIN bob "unclosed', [b'"unclosed']),
        (b'a LOGIN "bob unclosed', [b'"bob unclosed']),
        (b"a LOGIN bob two words", [b"two words"]),
        (b"a LOGIN bob  spaced", [b" spaced"]),
        (b"a LOGIN bob sec{2}\r\nret", [b"sec", b"re", b"t"]),
        (b"a AUTHENTICATE PLAIN AGJvYgBhbnk=", [b"AGJvYgBhbnk="]),
        (b"a AUTHENTICATE PLAIN", []),
        (b"a NOOP", []),
        (b"", []),
        (b"a SELECT LOGIN ", []),
    ],
)
def test_secrets_can_be_cut_out(frame, line, secrets):
    assert [line[start:stop] for start, stop in secret_spans(frame(line))] == secrets


def test_secrets_are_not_in_the_repr(command):
    assert "secret" not in repr(command(b"a LOGIN bob secret"))


def test_full_name(command):
    assert command(b"a UID FETCH 1 FLAGS").full_name == "UID FETCH"
    assert command(b"a FETCH 1 FLAGS").full_name == "FETCH"
