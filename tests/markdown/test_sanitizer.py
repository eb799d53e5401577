r"""A model's Markdown becomes safe for the page: no image comes out of it, and everything else looks the
same.

The judge of images is a CommonMark parser with the tables, footnotes and formulas that the page knows, too.
"""

import html
import json
import random
import re
import tarfile
import textwrap
import time
from typing import Any

import pytest

from assistant.markdown.block_splitter import BlockSplitter
from assistant.markdown.formulas import MAX_PRICE_CHARS
from assistant.markdown.sanitizer import MarkdownSanitizer
from assistant.markdown.scan import MAX_SPAN_CHARS
from tests.conftest import need
from tests.markdown.test_block_splitter import DOWNLOADS, parser

IMAGE = "![a](http://x/y)"
HOSTILE = [
    *[IMAGE] * 9,
    *("![a][r]", "![r]", "![", "!", "[", "]", "](http://e/x)", "(", "[r]: http://e/i.png", '\n[r]: /u "t'),
    *(
        "\n",
        "\n",
        "\n",
        "\n\n",
        "\n\n",
        "\r\n",
        "\r",
        " ",
        "  ",
        "    ",
        "     ",
        "\t",
        "\u2028",
        "\u00a0",
        "\x0b",
    ),
    *("`", "``", "```", "~~~", "`````\n", "  ```\n", "     ~~~\n", f"```\n{IMAGE}\n```\n", f"`{IMAGE}`"),
    *("- ", "1. ", "10) ", "> ", "* ", "| ", "|-|-|\n", "# ", "---", "[^1]", "[^1]: ", "- ```\n  x\n  ```\n"),
    *(
        "<div>",
        "</div>",
        "<!--",
        "-->",
        "<pre>",
        "<script>",
        "<?",
        "<![CDATA[",
        "]]>",
        '<a href="',
        "'>",
        '">',
    ),
    *(
        "<http://a",
        "http://a.b/",
        "www.a.b/",
        "$",
        "$$",
        "$5",
        "\\(",
        "\\)",
        "\\[",
        "\\]",
        "=",
        "x^2",
        "\\",
        "\\`",
    ),
    *(":::n", "::d", ":red[", ":", "{", "}", "*", "_", "a", "b c", "&#33;", "!\n[", "[a](b)", "[`", "`]("),
    *("```mermaid\n", "~~~ &#109;ermaid\n", "mermaid\n", "  http://m\n", "    //m\n", "> //m\n"),
]


def shown(text: str, *cuts: int) -> str:
    """Return what is shown of a text that arrives in pieces which end at these positions."""
    sanitizer = MarkdownSanitizer()
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return "".join(map(sanitizer.feed, pieces)) + sanitizer.flush()


# --- images -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a ![alt](https://h.io/x.png "t") b', "a 🖼 [alt · h\\.io](https://h.io/x.png) b"),
        ("![](https://h.io/x.png)", "🖼 [h\\.io](https://h.io/x.png)"),
        ("![a](data:image/png;base64,AA==)", "🖼 [a · data\\:](data:image/png;base64,AA==)"),
        ("![](img/chart.png)", "🖼 [chart\\.png](img/chart.png)"),
        ("![a](//h.io/x)", "🖼 [a · h\\.io](//h.io/x)"),
        ("![a](https://safe.io@evil.io/x)", "🖼 [a · evil\\.io](https://safe.io@evil.io/x)"),
        ("![a](http&#58;\\/\\/h.io/?q=1&amp;r=2)", "🖼 [a · h\\.io](http://h.io/?q=1&amp;r=2)"),
        ("![a](<http://h.io/x y>)", "🖼 [a · h\\.io](http://h.io/x%20y)"),
        ("![a\nb](\nhttp://h.io/x_(1)\n'it''s'\n)", "&#33;[a\nb](\nhttp://h.io/x_(1)\n'it''s'\n)"),
        ("![a\nb](\nhttp://h.io/x_(1)\n'it'\n)", "🖼 [a b · h\\.io](http://h.io/x_%281%29)"),
        ("![a [b] \\] *c*](http://h.io)", "🖼 [a \\[b\\] \\] \\*c\\* · h\\.io](http://h.io)"),
        ("[![b](https://i.io/b.svg)](https://h.io) c", "[🖼 b · i\\.io](https://h.io) c"),
        (
            "[![b](https://i.io/b.svg) c](https://h.io)",
            "[🖼 [b · i\\.io](https://i.io/b.svg) c](https://h.io)",
        ),
        ("![a][r] ![r] ![r][]\n\n[r]: http://h.io", "&#33;[a][r] &#33;[r] &#33;[r][]\n\n[r]: http://h.io"),
        ("![a](http://h.io/x", "&#33;[a](http://h.io/x"),
        ("![a](http://h.io/x\n\n)", "&#33;[a](http://h.io/x\n\n)"),
        ("![a](x \ud800)", "&#33;[a](x \ud800)"),
        ("![a](\ud800)", "🖼 [a · \ud800](?)"),
        ("\\![a](b) !\\[a](b) & !a", "\\![a](b) !\\[a](b) & !a"),
    ],
)
def test_an_image_becomes_a_link_that_names_its_host(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "`vec![1](x)` and ``a ` ![b](c)`` [a](https://b.io) `![d](e)`",
        "```rust\nvec![1](x)\n```",
        "1. a\n   ~~~\n   ![a](b)\n   ~~~\n",
        "````\n```\n![a](b)\n```\n````\n",
    ],
)
def test_certain_code_is_unchanged(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    "text",
    [
        f"[a `](<`> {IMAGE} `",
        f'<a href="`"> {IMAGE} `',
        f"| ` | {IMAGE} | ` |",
        f"http://a.b/`{IMAGE} `",
        f"[^`] {IMAGE} `\n\n[^`]: note",
        f"`a\nb` {IMAGE} `c`",
        f"<!--\n```\n-->\n{IMAGE}",
        *(f"{tag}\n\n```\n\n{IMAGE}" for tag in ("<!--", "<?", "<pre>", "<SCRIPT>", "<style>", "<textarea>")),
        f"<div>\n```\n\n{IMAGE}",
        f"- ```\n{IMAGE}",
        f"- a\n\n  ```\n{IMAGE}",
        f"> ```\n{IMAGE}",
        f"    ```\n    {IMAGE}",
        f"a\r\r{IMAGE}`",
        f"\u2028```\n{IMAGE}",
        f"a\n     ~~~\n     <a title='\n`' > {IMAGE} `",
    ],
)
def test_text_that_only_looks_like_code_has_no_image(text: str) -> None:
    assert IMAGE not in shown(text)


def renders(judge: Any, text: str) -> list[str]:
    """Return what a page would load: the images, and the diagrams that contain an address."""
    found = re.findall("<img[^>]*>", judge.render(text)) if "![" in text else []
    fences = [token for token in judge.parse(text) if token.type == "fence"] if "//" in text else []
    return found + [
        each.content
        for each in fences
        if "//" in each.content and html.unescape(each.info).strip().lower().startswith("mermaid")
    ]


def escaping(judge: Any) -> Any:
    """Return the parser, set to show HTML as text, like Streamlit."""
    for kind in ("html_block", "html_inline"):
        judge.add_render_rule(kind, lambda self, tokens, at, *_: html.escape(tokens[at].content))
    return judge


def check_texts(texts: list[str], times: int, seed: int) -> int:
    """Check random texts, cut at random, in every drawn state; return how many had code with ``![``."""
    judge, random_, count = escaping(parser()), random.Random(seed), 0
    for _ in range(times):
        few = [*random_.sample(HOSTILE, 8), IMAGE, "\n", "`"]
        parts = random_.choice([HOSTILE, few])
        text = "".join(random_.choices(parts, k=random_.choice([4, 8, 15, 30])))
        if random_.random() < 0.4:
            other = "".join(random_.choices(texts, k=2))
            place = random_.randrange(len(other) + 1)
            text = other[:place] + text[:40] + other[place:]
        cuts = sorted(random_.sample(range(len(text) + 1), min(len(text), random_.randrange(8))))
        assert shown(text, *cuts) == shown(text), (text, cuts)
        states = drawn(text, cuts, random_.choice([0, 30]), pauses=False)
        states += drawn(text, cuts, 0, pauses=True)[-1:]
        for state in {*states, *(textwrap.dedent(each).strip() for each in states)}:
            assert not renders(judge, state), (text, cuts, state)
            count += "![" in state
    return count


def drawn(text: str, cuts: list[int], min_chars: int, pauses: bool) -> list[str]:
    """Return what the page draws one after the other: the text so far, and each of its blocks."""
    sanitizer, blocks, states, block, whole = MarkdownSanitizer(), BlockSplitter(min_chars), [], "", ""
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        new = sanitizer.feed(text[start:end])
        if end == len(text) or pauses:
            new += sanitizer.flush()
        whole += new
        for piece in blocks.feed(new):
            if piece is None:
                states.append(block)
            block = "" if piece is None else block + piece
        states.append(whole)
    return [*states, block + blocks.flush(), whole]


@pytest.mark.exhaustive
def test_no_image_comes_out_of_any_text() -> None:
    assert check_texts(["A paragraph.\n\n- a list\n"], 700, seed=1) > 200


def examples() -> list[str]:
    found = sorted(DOWNLOADS.glob("markdown_it_py-*.tar.gz"))
    need(found, "the source of markdown-it-py")
    with tarfile.open(found[-1]) as archive:
        file = archive.extractfile(next(n for n in archive.getnames() if n.endswith("commonmark.json")))
        assert file is not None
        return [example["markdown"] for example in json.load(file)]


@pytest.mark.exhaustive
def test_no_image_comes_out_of_the_commonmark_examples() -> None:
    assert check_texts(examples(), 15_000, seed=2) > 5_000


@pytest.mark.exhaustive
def test_other_commonmark_examples_are_unchanged() -> None:
    special = re.compile(r"!\[|\$|\\[(\[]|color:red|color:blue")
    assert [text for text in examples() if not special.search(text) and shown(text) != text] == []


# --- formulas and prices ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\(a_1\) and \( x \)", "$a_1$ and $x$"),
        (r"\(a\)\(b\)", "$a$ $b$"),
        (r"\(\text{\$5}\)", r"$$\text{\$5}$$"),
        ("so \\[x^2 = 4\\] holds", "so $$x^2 = 4$$ holds"),
        ("A:\n\\[\nx = 1 \\\\\n y\n\\]\nB", "A:\n$$\nx = 1 \\\\\ny\n$$\nB"),
        ("\\[ x = 1 \\].\nB", "$$\nx = 1.\n$$\nB"),
        ("1. a\n\n   \\[ x = 1 \\]\n- \\[ y=2 \\]", "1. a\n\n   $$\n   x = 1\n   $$\n- $$\n  y=2\n  $$"),
        ("> \\[ x = 1 \\]\n", "> $$x = 1$$\n"),
        ("\\[\nx=1\n\\] B", "$$x=1$$ B"),
        ("$$\nx\n$$\n$$ x^2 $$\nand $$y$$.", "$$\nx\n$$\n$$\nx^2\n$$\nand $$y$$."),
        (r"$x^2$ $2x+1$ $\alpha$ $5$ $n$ $2x + 3y^2 - 4z$ 値は$x$です", None),
        (r"\[Your Name\] \[x\] \[ \] \[1\] \(see below\) \(", None),
        (r"\\(a\\) \$5 and `$5 \(a\)`", None),
        ("```\n$5 \\(a\\) :red[b]\n```\n\n    $5\n", None),
        ("\\(a\n\nb\\)", None),
    ],
)
def test_formulas_are_written_for_the_page(text: str, expected: str | None) -> None:
    assert shown(text) == (text if expected is None else expected)


@pytest.mark.parametrize(
    "text",
    [
        "$5 and $10",
        "from $1,200/night",
        "US$5, A$7 or HK$20",
        "$5-$10, $5–$10",
        "costs $3.",
        "$5M, then $x",
        "$5です。$10です",
        "in $HOME/bin and $PATH",
        "an a$ b $ c",
        "rated $$ · Italian, $$$",
        "$",
    ],
)
def test_prices_are_not_formulas(text: str) -> None:
    assert shown(text) == text.replace("$", "\\$")


# --- directives ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":red[a] :small[b] x:y[c]{d}", "&#58;red[a] &#58;small[b] x&#58;y[c]{d}"),
        ("color:red; \\:red[a]", "color&#58;red; &#58;red[a]"),
        ("出典:東京[1]", "出典&#58;東京[1]"),
        ("::note\n\n:::tip\nstd::vec", "&#58;&#58;note\n\n&#58;&#58;&#58;tip\nstd::vec"),
        (":material/home: :material_home:", "&#58;material/home: :m&#97;terial_home:"),
        (":streamlit: \\:streamlit:", ":s&#116;reamlit: :s&#116;reamlit:"),
        ("urn:id:1 1:100:2 a:x:b", "urn:i&#100;:1 1:1&#48;0:2 a:x&#58;b"),
        (":smile: 12:30 12:30:45 a: b \\: note:this https://a.b:80/c:red[d] <mailto:a@b.c>", None),
    ],
)
def test_streamlits_commands_are_shown_as_text(text: str, expected: str | None) -> None:
    assert shown(text) == (text if expected is None else expected)


# --- diagrams -----------------------------------------------------------------------------------------


def test_a_diagram_contains_no_address() -> None:
    text = '```mermaid\nA@{ img: "https://h.io/x" } & B["a\\nb"]\n"\\u002f" /\\x\nhttp:x\n```\nhttps://h.io'
    assert shown(text) == (
        '```mermaid\nA@{ img: "https :/ /h.io/x" } & B["a<br/>b"]\n"\\ u002f" / \\ x\nhttp :x\n```\nhttps://h.io'
    )


@pytest.mark.parametrize("before", ["[^1]: ", "> ", "- ", "     ", "<!--\n```\n-->\n"])
def test_an_uncertain_diagram_is_not_drawn(before: str) -> None:
    assert shown(f"{before}```mermaid\nA") == f"{before}```.mermaid\nA"


# --- streaming --------------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_the_result_does_not_depend_on_the_pieces() -> None:
    pytest.importorskip("hypothesis", reason="needs hypothesis; see .ci/run")
    from hypothesis import given, settings
    from hypothesis import strategies as st

    @settings(max_examples=80, derandomize=True, deadline=None, database=None)
    @given(st.lists(st.sampled_from(HOSTILE) | st.text(max_size=5), max_size=12), st.data())
    def check(parts: list[str], data: st.DataObject) -> None:
        text = "".join(parts)
        cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=9)))
        assert shown(text, *cuts) == shown(text) == shown(text, *range(1, len(text)))

    check()


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("Hello, wor", ""),
        ("costs $5", "$5"),
        ("costs $5 and", ""),
        ("it is $5, for a week or so", ""),
        ("at 12:30", ":30"),
        ("at 12:30 ", ""),
        ("Wow!", "!"),
        ("see `code", ""),
        ("see ![a](http://h.io/x", "![a](http://h.io/x"),
        ("so \\(x^2", "\\(x^2"),
        ("a\n1", "1"),
        ("a\n```py", ""),
    ],
)
def test_little_is_held_back(text: str, held: str) -> None:
    sanitizer = MarkdownSanitizer()
    passed = sanitizer.feed(text)
    assert passed == text.removesuffix(held).replace("$", "\\$")
    assert sanitizer.flush() == {"$5": "\\$5", "![a](http://h.io/x": "&#33;[a](http://h.io/x"}.get(held, held)
    assert sanitizer.flush() == ""


def test_an_endless_construct_is_not_held_back() -> None:
    for text, longest in (
        ("![" + "a" * MAX_SPAN_CHARS, MAX_SPAN_CHARS),
        ("$5" + "0" * 40, MAX_PRICE_CHARS),
        (":" + "a" * 99, 30),
    ):
        assert len(MarkdownSanitizer().feed("b " + text)) > len(text) - longest


def test_the_halves_of_an_image_around_a_pause_stay_text() -> None:
    for place in range(1, len(IMAGE)):
        sanitizer = MarkdownSanitizer()
        whole = (
            sanitizer.feed(IMAGE[:place])
            + sanitizer.flush()
            + sanitizer.feed(IMAGE[place:])
            + sanitizer.flush()
        )
        assert "![" not in whole


@pytest.mark.exhaustive
def test_the_time_is_linear_in_the_length_of_the_text() -> None:
    paragraph = "Words and `code`, $5, $x^2$, ![a](http://h.io/x) and 12:30.\n\n```\ncode\n```\n"
    text, sanitizer, began = paragraph * 2500, MarkdownSanitizer(), time.perf_counter()
    size = sum(len(sanitizer.feed(text[at : at + 5])) for at in range(0, len(text), 5)) + len(
        sanitizer.flush()
    )
    assert size == len(shown(paragraph)) * 2500
    assert time.perf_counter() - began < 5  # a third of a second; a quadratic algorithm takes minutes
