"""Markdown answers with an exact number of tokens, the same for every page.

An answer begins and ends with a word of its turn. Marker words in rising order stand in between, each a token
of its own, so that the visible text alone shows how much of the answer has arrived.
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import count, cycle, islice

MARK_EVERY = 10  # tokens

_TOKEN = re.compile(r" ?[A-Za-z]{1,14}|\d{1,3}|[ぁ-んァ-ヶー一-龠]{1,3}|\n+| ?[^\w\s]{1,4}|.", re.DOTALL)
_BEFORE_MARK = re.compile(r" [a-z]{2,}")  # within a sentence, a cell or a line of code: nowhere else

_SECTIONS = [
    """\
## Day {n}: along the river

Take the early tram from the station and get off at the **old bridge**, where the market opens at eight. It
is a short walk from there to the tower; the stairs are steep, but *the view over both banks* is worth them.

- The market hall: fish on the left, flowers on the right, and coffee at the back
- The tower: buy the ticket at the small window, not at the machine
  - in summer it closes at nine
  - in winter it closes as soon as it is dark
- The ferry: every twenty minutes, and free with a `day pass`

""",
    """\
### What it costs, round {n}

Prices were looked up this morning and change with the season, so take them as a rough guide only.

| place | adult | child | open |
| :--- | ---: | ---: | :--- |
| the tower | 12.50 | 6.00 | every day |
| the museum of clocks | 9.00 | 0.00 | not on Mondays |
| the boat to the island | 21.00 | 11.50 | when the weather is fair |
| the garden behind the palace | 0.00 | 0.00 | from dawn to dusk |

All of it together is cheaper with the card, which also lets you past the queue at most of the doors.

""",
    """\
The sum can be checked with a few lines:

```python
def total(places, adults, children):
    \"\"\"What a day costs for everybody who comes along.\"\"\"
    whole = 0.0
    for place in places:
        whole += place.adult * adults + place.child * children
    return round(whole, 2)  # in the currency of the country


print(total(day_{n}, adults=2, children=3))
```

Run it with the table above, and keep in mind that the card is **not** counted in there.

""",
    """\
### {n}日目の予定

朝は駅から路面電車に乗り、古い橋で降ります。市場は八時に開き、魚や花を売る店が並んでいます。**塔の階段は急です**が、
上からの眺めはすばらしく、川の両岸がよく見えます。午後は島へ渡る船に乗りましょう。雨の日は時計の博物館がおすすめです。

1. First the bridge, while the light is still low and the boats are going out
2. Then the museum, which is warm, quiet and almost empty before noon
3. At last the garden, and a bench from which one sees the whole palace

> Somebody who lives there once said that the town is best seen by those who have lost their way in it.

""",
]
_FILLING = ["and", "then", "it", "goes", "on", "in", "the", "same", "way", "as", "before"]


def first_word(turn: int) -> str:
    """Return the word that the answer of this turn begins with."""
    return f"alpha{turn}x"


def last_word(turn: int) -> str:
    """Return the word that the answer of this turn ends with."""
    return f"omega{turn}x"


def mark(number: int) -> str:
    """Return the word by this number in the middle of every answer."""
    return f"mark{number:04d}"


def answer(tokens: int, turn: int) -> list[str]:
    """Return the tokens of an answer: the requested number, at least 20."""
    return [first_word(turn), "\n\n", *middle(tokens - 4), "\n\n", last_word(turn)]


@cache
def middle(tokens: int) -> tuple[str, ...]:
    """Return the text between the first and the last word: whole sections, then plain words."""
    tokens_so_far: list[str] = []
    for number, section in zip(count(1), cycle(_SECTIONS)):
        new = _TOKEN.findall(section.replace("{n}", str(number)))
        if len(tokens_so_far) + len(new) > tokens * MARK_EVERY // (MARK_EVERY + 1):
            break
        tokens_so_far += new
    words = cycle(_FILLING)
    tokens_so_far += [f" {next(words)}" for _ in range(tokens - len(tokens_so_far))]
    return tuple(islice(_marked(tokens_so_far), tokens))


def _marked(tokens: list[str]) -> Iterator[str]:
    """Return the tokens with marks in between, at least ``MARK_EVERY`` tokens apart."""
    marks, since = count(1), 0
    for token in tokens:
        yield token
        since += 1
        if since >= MARK_EVERY and _BEFORE_MARK.fullmatch(token):
            yield f" {mark(next(marks))}"
            since = 0
