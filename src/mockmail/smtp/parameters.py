"""What the parameters of MAIL and RCPT may say. They are checked when they come, and kept as they were sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mockmail.smtp.extensions import Capabilities
from mockmail.smtp.params import AddressError, ArgumentError, Parameters, decode_xtext, parse_mailbox

Check = Callable[["str | None", Capabilities, bool], "str | None"]
"""What is wrong about a value (``None``: nothing), given what the server offers and whether SMTPUTF8 is in force."""

__all__ = ["MAIL_PARAMETERS", "RCPT_PARAMETERS", "refused_parameter"]

# size-value = 1*20DIGIT                                                RFC 1870
# by-value   = by-time ";" by-mode [by-trace]   by-time = ["-" / "+"] 1*9digit   RFC 2852
# notify     = "NEVER" / 1#("SUCCESS" / "FAILURE" / "DELAY")            RFC 3461
# orcpt      = addr-type ";" xtext               addr-type = atom       RFC 3461
# utf-8-addr-xtext, utf-8-addr-unitext: RFC 6533 section 3
_SIZE = re.compile(r"[0-9]{1,20}")
_BY = re.compile(r"([+-]?[0-9]{1,9});([NR])T?", re.IGNORECASE)
_NOTIFY = re.compile(r"NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY))*", re.IGNORECASE)
_ORCPT = re.compile(r"([!#$%&'*+/?^_`{|}~0-9A-Za-z-]+);(.+)")
_UTF8_XTEXT = re.compile(r"(?:[!-*,-<>-\[\]-~]|\+[0-9A-F]{2}|\\x\{[0-9A-F]{2,6}\})+")
_UTF8_UNITEXT = re.compile(r"(?:[!-*,-<>-\[\]-~\x80-\U0010ffff]|\+[0-9A-F]{2}|\\x\{[0-9A-F]{2,6}\})+")
_PRINTABLE = re.compile(r"[ -~]+")

_ENVID_LIMIT = 100
_ORCPT_LIMIT = 500


def refused_parameter(
    parameters: Parameters,
    known: Mapping[str, Check],
    capabilities: Capabilities,
    *,
    smtputf8: bool,
) -> str | None:
    """The reply to parameters of which one is unknown or wrong; ``None`` when all is well. ``known`` is
    ``MAIL_PARAMETERS`` or ``RCPT_PARAMETERS``."""
    for name, value in parameters.items():
        keyword = name.upper()
        check = known.get(keyword)
        if check is None or keyword not in capabilities.parameters:
            return f"555 5.5.4 The parameter {keyword} is not known here"
        text = check(value, capabilities, smtputf8)
        if text is not None:
            return f"501 5.5.4 {text}"
    return None


def _size(value: str | None, capabilities: Capabilities, smtputf8: bool) -> str | None:
    return None if value is not None and _SIZE.fullmatch(value) else "SIZE takes a number of bytes"


def _body(value: str | None, capabilities: Capabilities, smtputf8: bool) -> str | None:
    kinds = ["7BIT", "8BITMIME"]
    if "BINARYMIME" in capabilities.names:
        kinds.append("BINARYMIME")
    return None if (value or "").upper() in kinds else f"BODY takes {', '.join(kinds[:-1])} or {kinds[-1]}"


def _smtputf8(value: str | None, capabilities: Capabilities, smtputf8: bool) -> str | None:
    return None if value is None else "SMTPUTF8 takes no value"


def _requiretls(value: str | None, capabilities: Capabilities, smtputf8: bool) -> str | None:
    return None if value is None else "REQUIRETLS takes no value"


def _auth(value: str | None, capabilities: Capabilities, smtputf8: bool) -> str | None:
    if value != "<>":
        try:
            parse_mailbox(decode_xtext(value or ""))
        except (ArgumentError, AddressError):
            return "AUTH takes a mailbox in xtext, or <>"
    return None


def _ret(value: str | None, capabilities: Capabilities, smtputf8: bool) -> str | None:
    return None if (value or "").upper() in ("FULL", "HDRS") else "RET takes FULL or HDRS"


def _envid(value: str | None, capabilities: Capabilities, smtputf8: bool) -> str | None:
    if value is None or not _is_printable_xtext(value):
        return "ENVID takes printable ASCII in xtext"
    return None if len(value) <= _ENVID_LIMIT else f"ENVID takes at most {_ENVID_LIMIT} characters"


def _by(value: str | None, capabilities: Capabilities, smtputf8: bool) -> str | None:
    match = _BY.fullmatch(value or "")
    if match is None:
        return "BY takes seconds;N or seconds;R, and T behind it for a trace"
    if match[2].upper() == "R" and int(match[1]) <= 0:
        # RFC 2852 section 4: returning what is late already would return everything.
        return "BY takes more than 0 seconds with R"
    return None


def _notify(value: str | None, capabilities: Capabilities, smtputf8: bool) -> str | None:
    if value is not None and _NOTIFY.fullmatch(value):
        return None
    return "NOTIFY takes NEVER, or some of SUCCESS, FAILURE and DELAY"


def _orcpt(value: str | None, capabilities: Capabilities, smtputf8: bool) -> str | None:
    match = _ORCPT.fullmatch(value or "")
    if match is None:
        return "ORCPT takes a type, a semicolon and an address in xtext"
    if len(value or "") > _ORCPT_LIMIT:
        return f"ORCPT takes at most {_ORCPT_LIMIT} characters"
    if match[1].lower() == "utf-8":
        well = (_UTF8_UNITEXT if smtputf8 else _UTF8_XTEXT).fullmatch(match[2]) is not None
    else:
        well = _is_printable_xtext(match[2])
    return None if well else "ORCPT takes printable ASCII in xtext"


def _is_printable_xtext(value: str) -> bool:
    try:
        return _PRINTABLE.fullmatch(decode_xtext(value)) is not None
    except ArgumentError:
        return False


MAIL_PARAMETERS: Mapping[str, Check] = {
    "SIZE": _size,
    "BODY": _body,
    "SMTPUTF8": _smtputf8,
    "AUTH": _auth,
    "RET": _ret,
    "ENVID": _envid,
    "REQUIRETLS": _requiretls,
    "BY": _by,
}
"""What MAIL takes."""
RCPT_PARAMETERS: Mapping[str, Check] = {"NOTIFY": _notify, "ORCPT": _orcpt}
"""What RCPT takes."""
