import pytest

from mockmail.mime.html import read_html


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("a<br>b<BR/>c", "a\nb\nc"),
        ("Your  code:\r\n <b>123</b>456", "Your code: 123456"),
        ("<td>a</td><td>b</td>", "a b"),
        ("<pre>a  b\n c</pre>", "a b\nc"),
        ("a &amp; b &lt;c&gt; &eacute;&#233;&nbsp;d", "a & b <c> \u00e9\u00e9\xa0d"),
        ("<head><title>No</title><meta x></head><body>yes</body>", "yes"),
        ("<head><style>p{}</style><body>an open head", "an open head"),
        ("a<script>if (a<b) x('</p>')</script>b<style>c</style>d", "abd"),
        ("a<!-- no > <p> -->b<!--[if mso]>no<![endif]-->c<![if !mso]>d<![endif]>", "abcd"),
        ("<!DOCTYPE html>x", "x"),
        ("<?xml version='1.0'?>x", "x"),
        ("<img alt='logo' src=x>", "logo"),
        ("a < b", "a < b"),
        ("1<2", "1<2"),
        ("<p title='>'>x", "x"),
        ("<template>no<template>no</template>no</template>yes", "yes"),
        # unfinished, dropped as browsers do
        ("a<!-- b", "a"),
        ("a<p class='b", "a"),
        ("a<![x", "a"),
        ("a<script>b", "a"),
        ("a</", "a</"),
    ],
)
def test_visible_text(source, text):
    assert read_html(source).text == text


@pytest.mark.parametrize(
    ("source", "anchors"),
    [
        ('<a href="http://a.test/">Go</a>', [("http://a.test/", "Go")]),
        ("<A HREF='http://a.test/?a=1&amp;b=2'>x</A>", [("http://a.test/?a=1&b=2", "x")]),
        ("<a href=http://a.test/?a=1&section=2&copy=3>x</a>", [("http://a.test/?a=1&section=2&copy=3", "x")]),
        ("<a href='http://a.test/&#x41;&#66'>x</a>", [("http://a.test/AB", "x")]),
        ("<a href=x><b>Con</b>firm\n <img alt=now></a>", [("x", "Confirm now")]),
        ("<a href=x>one<a href=y>two", [("x", "one"), ("y", "two")]),
        ("<a name=x>no target</a>", []),
        ("<area href=x alt='the map'>", [("x", "the map")]),
        ("<a href=x href=y>first counts</a>", [("x", "first counts")]),
        ("<a class = 'c' href = x >spaces</a>", [("x", "spaces")]),
        ("<a/href=x>slash</a>", [("x", "slash")]),
    ],
)
def test_anchors(source, anchors):
    assert read_html(source).anchors == anchors


@pytest.mark.parametrize(
    ("piece", "shown"),
    [
        ("<!--", False),
        ("<a ", False),
        ("<a href='", False),
        ('<a b="', False),
        ("<a b=", False),
        ("<![", False),
        ("<?", False),
        ("<script>", False),
        ("<script></", False),
        ("<head>", False),
        ("<", True),
        ("</", True),
        ("&", True),
        ("&#", True),
    ],
)
def test_unfinished_markup_in_numbers(piece, shown):
    # Readers that look for the end again and again take minutes here.
    page = read_html(piece * 20_000)
    assert page.text == (piece * 20_000 if shown else "")
