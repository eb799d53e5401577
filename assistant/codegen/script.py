"""One turn as a Python script that does it with the SDK alone, and one request as a curl command. Pure.

Not here: how a function's source is found (``sources.py``), or a whole thread as a script (``export.py``).

The one rule: what is shown runs as it stands; whatever was said is only ever text in it. No key is in it.
"""

import json
from string import Template
from urllib.parse import urlsplit

from assistant.codegen.functions import Functions, imports_as_text, literal
from assistant.messages import UNSENDABLE
from assistant.settings import OPENAI_URL, Settings
from assistant.tools.lint import function_param
from assistant.tools.schema import Json
from assistant.tools.toolbox import Toolbox

# --- one request ------------------------------------------------------------------------------------


def as_curl(request: Json, base_url: str = "") -> str:
    """A command for a shell that sends this request's body and shows the answer as it streams in.

    Which address it goes to is seen from the body. The key is read from the environment.
    """
    path = "chat/completions" if "messages" in request else "responses"
    body = json.dumps(request, ensure_ascii=False, indent=2)
    # What cannot be seen is escaped, so every line is what it looks like, and none of them is the word JSON.
    seen = "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in body)
    address = f"{_address(base_url) or OPENAI_URL}/{path}".replace("'", "%27")
    return (
        f"curl -sSN '{address}' \\\n"
        '  -H "Authorization: Bearer $OPENAI_API_KEY" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  --data-binary @- <<'JSON'\n{seen}\nJSON\n"
    )


def _address(base_url: str) -> str:
    """The address without what may be secret in it: a name with a password, a query."""
    if not base_url:
        return ""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


# --- a whole turn -----------------------------------------------------------------------------------


def as_script(settings: Settings, toolbox: Toolbox, prompt: str) -> str:
    """A Python script that says this to the model, and runs the functions that it asks for.

    It speaks Chat Completions where ``settings.protocol`` is "chat", else the Responses API. The functions'
    sources are in it; in the place of one that cannot stand by itself is a stub that raises. It is as
    long as they are: give it those that matter.
    """
    chat = settings.protocol == "chat"
    said = {"MODEL": settings.model, "INSTRUCTIONS": settings.instructions, "PROMPT": prompt}
    constants: Json = {name: UNSENDABLE.sub("\ufffd", text) for name, text in said.items() if text}
    messages = ['{"role": "user", "content": PROMPT}']
    asked = ["model=MODEL"]
    if settings.instructions and chat:
        messages.insert(0, '{"role": "system", "content": INSTRUCTIONS}')
    elif settings.instructions:
        asked.append("instructions=INSTRUCTIONS")
    asked.append("messages=said" if chat else "input=said")
    if toolbox:
        tools = [function_param(tool) for tool in toolbox.values()]
        constants["TOOLS"] = [_nested(each) for each in tools] if chat else tools
        constants["MOST_ROUNDS"] = settings.max_rounds
        asked.append("tools=TOOLS")
    if settings.effort:
        level = json.dumps(settings.effort)
        asked.append(f"reasoning_effort={level}" if chat else f'reasoning={{"effort": {level}}}')
    one, loop = (_CHAT, _CHAT_LOOP) if chat else (_RESPONSES, _RESPONSES_LOOP)
    functions = Functions(toolbox, one + loop)
    body = Template(loop if toolbox else one).substitute(
        client=_client(settings), said=", ".join(messages), asked=", ".join([*asked, "stream=True"])
    )
    blocks = [
        _OPENING.format(needs="" if settings.base_url and not settings.api_key else _NEEDS_KEY),
        imports_as_text(functions.imports),
        "\n".join(f"{name} = {literal(value)}" for name, value in constants.items()),
        *functions.blocks,
        body,
    ]
    return "\n\n".join(block.strip("\n") + "\n" for block in blocks)


_OPENING = '''\
"""One turn with a model, with the OpenAI SDK alone.

Needs: pip install openai{needs}
"""
'''

_NEEDS_KEY = ", and OPENAI_API_KEY in the environment."

_RESPONSES = """
client = $client
said = [$said]
with client.responses.create($asked) as events:
    for event in events:
        if event.type in ("response.output_text.delta", "response.refusal.delta"):
            print(event.delta, end="", flush=True)
        elif event.type in ("response.incomplete", "response.failed"):
            reason = event.response.error or event.response.incomplete_details
            raise SystemExit(f"The answer ended early: {reason}")
print()
"""

_RESPONSES_LOOP = """
client = $client
said = [$said]
for _ in range(MOST_ROUNDS):
    items, ending = [], None
    with client.responses.create(
        $asked
    ) as events:
        for event in events:
            if event.type in ("response.output_text.delta", "response.refusal.delta"):
                print(event.delta, end="", flush=True)
            elif event.type in ("response.output_text.done", "response.refusal.done"):
                print()
            elif event.type == "response.output_item.done":
                items.append(event.item)
            elif event.type in ("response.completed", "response.incomplete", "response.failed"):
                ending = event
    # Functions are run only when the response has ended well.
    if ending is None:
        raise SystemExit("The answer was cut off.")
    if ending.type != "response.completed":
        reason = ending.response.error or ending.response.incomplete_details
        raise SystemExit(f"The answer ended early: {reason}")
    calls = [item for item in items if item.type == "function_call"]
    if not calls:
        break
    said += [item.to_dict(exclude_none=True) for item in items]
    for call in calls:
        output = output_of(call.name, call.arguments)
        said.append({"type": "function_call_output", "call_id": call.call_id, "output": output})
else:
    raise SystemExit("The model asks for functions again and again.")
"""

_CHAT = """
client = $client
said = [$said]
with client.chat.completions.create($asked) as chunks:
    for choice in (choice for chunk in chunks for choice in chunk.choices):
        print(choice.delta.content or choice.delta.refusal or "", end="", flush=True)
        if choice.finish_reason not in (None, "stop"):
            raise SystemExit(f"The answer ended early: {choice.finish_reason}")
print()
"""

_CHAT_LOOP = """
client = $client
said = [$said]
for _ in range(MOST_ROUNDS):
    text, calls, ending = "", {}, None
    with client.chat.completions.create(
        $asked
    ) as chunks:
        for choice in (choice for chunk in chunks for choice in chunk.choices):
            ending = choice.finish_reason or ending
            piece = choice.delta.content or choice.delta.refusal or ""
            print(piece, end="", flush=True)
            text += piece
            for piece in choice.delta.tool_calls or []:
                begun = {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
                call = calls.setdefault(piece.index, begun)
                call["id"] = piece.id or call["id"]
                call["function"]["name"] = piece.function.name or call["function"]["name"]
                call["function"]["arguments"] += piece.function.arguments or ""
    if text:
        print()
    # Functions are run only when the answer has ended well.
    if ending not in ("stop", "tool_calls"):
        raise SystemExit(f"The answer ended early: {ending or 'it was cut off'}")
    if not calls:
        break
    said.append({"role": "assistant", "content": text or None, "tool_calls": list(calls.values())})
    for call in calls.values():
        output = output_of(**call["function"])
        said.append({"role": "tool", "tool_call_id": call["id"], "content": output})
else:
    raise SystemExit("The model asks for functions again and again.")
"""


def _nested(tool: Json) -> Json:
    """A function as Chat Completions are told of it."""
    return {"type": "function", "function": {name: tool[name] for name in _CHAT_FIELDS}}


_CHAT_FIELDS = ("name", "description", "parameters")


def _client(settings: Settings) -> str:
    given = [f"base_url={_address(settings.base_url)!r}"] if settings.base_url else []
    if settings.base_url and not settings.api_key:
        given.append('api_key="none"')
    return f"OpenAI({', '.join(given)})"
