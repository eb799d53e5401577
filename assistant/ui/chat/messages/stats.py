"""Model, time and tokens of an answer in words."""

from assistant.markdown.escape import escape_markdown
from assistant.messages import RunStats
from assistant.ui.language import _, ngettext


def short_stats(stats: RunStats) -> str:
    """``gpt-6-luna · 3.2 s · 1,204 tokens``, in Markdown; unknown figures are left out."""
    count = stats.usage.total if stats.usage else 0
    tokens = ngettext("{number} token", "{number} tokens", count, number=f"{count:,}") if count else ""
    retries = ngettext("{count} retry", "{count} retries", stats.retries) if stats.retries else ""
    figures = [escape_markdown(stats.model), format_duration(stats.seconds), tokens, retries]
    return " · ".join(filter(None, figures))


def full_stats(stats: RunStats) -> str:
    """Return the tokens and the number of responses in Markdown; empty if the server counted none."""
    usage = stats.usage
    if not usage or not usage.total:
        return ""
    counts = _(
        "{input} tokens in, {cached} of them cached; {output} out, {reasoning} of them reasoning",
        input=f"{usage.input:,}",
        cached=f"{usage.cached:,}",
        output=f"{usage.output:,}",
        reasoning=f"{usage.reasoning:,}",
    )
    if stats.rounds < 2:
        return counts
    return _("{counts} in {rounds} responses", counts=counts, rounds=stats.rounds)


def format_duration(seconds: float | None, tenths: bool = True) -> str:
    """Return ``3.2 s``, ``48 s`` or ``2 min 5 s``; empty if unknown."""
    if seconds is None:
        return ""
    if tenths and seconds < 9.95:
        return _("{seconds} s", seconds=f"{seconds:.1f}")
    minutes, left = divmod(round(seconds), 60)
    if not minutes:
        return _("{seconds} s", seconds=left)
    return _("{minutes} min {seconds} s", minutes=minutes, seconds=left)
