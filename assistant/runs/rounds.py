"""The rounds of one run: with which number they begin, and which calls they repeat."""

from collections import Counter
from collections.abc import Iterable

from assistant.events import ToolCall
from assistant.messages import Message

MAX_REPEATS = 3  # maximum number of rounds in which one run may make the very same call


class Rounds:
    """Continues the rounds that an answer already has; ``first`` is the number of the next one.

    A ``resumed`` response continues its round; background calls do not end a round.
    """

    def __init__(self, message: Message, resumed: bool) -> None:
        calls = [call for call in message.calls if not (resumed and call.background)]
        earlier = {(call.round, call.name, call.arguments) for call in calls}
        self.first = 1 + max((number for number, _, _ in earlier), default=0)
        self._repeats = Counter((name, arguments) for _, name, arguments in earlier)

    def repeated_function(self, calls: Iterable[ToolCall]) -> str:
        """Count the calls of a round; return the function that was called too often with the same arguments, or ""."""
        self._repeats.update({(call.name, call.arguments) for call in calls})
        (name, _), times = self._repeats.most_common(1)[0]
        return name if times > MAX_REPEATS else ""
