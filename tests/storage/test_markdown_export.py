"""Threads are exported as Markdown in which no text breaks out of its block."""

import re

import pytest

from assistant import Thread
from assistant.parts import Call, Part, Text
from assistant.storage.markdown_export import export_markdown
from tests.storage.threads import HOSTILE, THREAD, add_call, answer

MARKDOWN = """\
# Kyoto \\*and\\* more

## User

京都 *2*?

## Assistant

> **Reasoning:** Hm.
> So.

Let me see.

**Call** `add` (done, 1.50 s)

```json
{"a": 1, "b": 2}
```

**Output** of `add`

```json
3
```

**Call** `add` (failed, 0.25 s)

```json
{"a": 1, "b": 2}
```

**Output** of `add`

```json
{"error": "No."}
```

**Detail** (not sent to the model)

```text
ValueError: no
```

**Call** `add` (no result)

```text

```

**Call** `add` (not run: the answer ended while the model was writing the call)

```text
{"a"
```

> **Note:** Written anew.

> **Refused:** I will not.

Three.

## Assistant

> **Ended early:** Stopped.

## Assistant

> **Paused:** waiting for a decision.

## Assistant

> **Failed** (`rate_limit`): Wait.

## Assistant

going on

> **Unfinished:** the answer was still being written.
"""


def test_a_thread_is_exported_as_markdown() -> None:
    assert export_markdown(THREAD, "Kyoto *and*\nmore") == MARKDOWN


def test_an_output_cannot_break_out_of_its_fence() -> None:
    output = f"{HOSTILE}\n{'`' * 50}\nloose"
    written = export_markdown(Thread(messages=[answer(add_call("c1", output), Text("After."))]), HOSTILE)
    fence = "`" * 51
    assert re.findall("^`{51}.*$", written, re.MULTILINE) == [f"{fence}text", fence]
    shown = output.replace("\x00", "\ufffd").replace("\x1b", "\ufffd").replace("\ud800", "\ufffd")
    assert f"{fence}text\n{shown}\n{fence}\n\nAfter.\n" in written
    assert written.encode().decode() == written


@pytest.mark.parametrize(
    "closed",
    [
        "Plain `code` and ``` more ``` <b>bold</b>.",
        "```py\nprint()\n```\n\nDone.",
        "~~~\n```\n~~~~",
        "````\n```\n<!--\n````",
        "- one\n- two\n\n> three",
        "```\r\ncode\r\n```",
    ],
)
def test_a_closed_text_is_inserted_unchanged(closed: str) -> None:
    written = export_markdown(Thread(messages=[answer(Text(closed))]), "")
    assert written == f"# \n\n## Assistant\n\n{closed}\n"


@pytest.mark.parametrize(
    "opened",
    [
        "```py\nprint()",
        "````\n```",
        "~~~\n```",
        "```\n    ```",
        "```\n``` x",
        "a\n <!-- b",
        "<pre>",
        "- ```\n  code\n```",
        "1. one\n   ```\n   two\n   ```",
        "``` `\n\n```\n```",
    ],
)
def test_a_text_that_may_leave_something_open_is_quoted(opened: str) -> None:
    written = export_markdown(Thread(messages=[answer(Text(opened))]), "")
    quoted = "\n".join(f"> {line}" if line else ">" for line in opened.split("\n"))
    assert written == f"# \n\n## Assistant\n\n{quoted}\n"


def test_any_function_name_is_code_on_one_line() -> None:
    names = ["``a`", "", "a\n\n# b", "<b>"]
    parts: list[Part] = [Call(f"c{number}", name, "{}", 1) for number, name in enumerate(names)]
    written = export_markdown(Thread(messages=[answer(*parts)]), "")
    assert re.findall(r"^\*\*Call\*\* (.*) \(no result\)$", written, re.MULTILINE) == [
        "``` ``a` ```",
        "`  `",
        "`a # b`",
        "`<b>`",
    ]
