"""Python scripts that hold a turn or a thread with the OpenAI SDK alone.

A script needs no other file; a function that does is a stub in it. Everything that a user, model or function
wrote is a literal; no key is in it.
"""

import json
import re
from collections.abc import Iterable
from string import Template
from textwrap import indent
from typing import Any

from assistant.codegen.functions import FunctionCode
from assistant.codegen.source_code import Import
from assistant.json_values import Json
from assistant.recordings.redaction import redact_url
from assistant.settings import Settings
from assistant.texts import replace_unsendable
from assistant.threads import Thread
from assistant.tools.offer import FEATURES
from assistant.tools.results import stopped_result
from assistant.tools.toolbox import Toolbox


def turn_script(settings: Settings, toolbox: Toolbox, prompt: str) -> str:
    """Return a script that sends one message and runs the functions that the model calls.

    It uses Chat Completions if ``settings.protocol`` is "chat", else the Responses API. It contains the
    source of every function of the toolbox, or a stub if a function depends on other files of the project.
    """
    chat = settings.protocol == "chat"
    constants: Json = {"MODEL": settings.model, "INSTRUCTIONS": settings.instructions, "PROMPT": prompt}
    messages = ['{"role": "user", "content": PROMPT}']
    request = ["model=MODEL"]
    if settings.instructions and chat:
        messages.insert(0, '{"role": "system", "content": INSTRUCTIONS}')
    elif settings.instructions:
        request.append("instructions=INSTRUCTIONS")
    request.append("messages=messages" if chat else "input=messages")
    if toolbox:
        tools = [tool.as_param(without=FEATURES) for tool in toolbox.values()]
        constants["TOOLS"] = [_chat_tool(tool) for tool in tools] if chat else tools
        constants["MAX_ROUNDS"] = settings.max_rounds
        request.append("tools=TOOLS")
    if settings.effort:
        effort = json.dumps(settings.effort)
        request.append(f"reasoning_effort={effort}" if chat else f'reasoning={{"effort": {effort}}}')
    respond = Template(_CHAT_RESPOND if chat else _RESPOND).substitute(request=", ".join(request))
    if not toolbox:
        loop = "respond(messages)\n"
    elif chat:
        loop = _CHAT_LOOP
    else:
        loop = _LOOP
    body = f"{_client(settings)}\nmessages = [{', '.join(messages)}]\n{loop}"
    imports, functions = {Import("openai", "OpenAI")}, list[str]()
    if toolbox:
        code = FunctionCode(toolbox, respond + body, imports)
        imports, functions = code.imports, code.blocks
    needs_key = not settings.base_url or settings.api_key
    return _join(
        _TURN_DOCSTRING.format(key=", and OPENAI_API_KEY in the environment" if needs_key else "")
        + _import_lines(imports),
        "\n".join(f"{name} = {_literal(value)}" for name, value in constants.items() if value != ""),
        *functions,
        respond,
        body,
    )


def thread_script(thread: Thread, model: str) -> str:
    """Return a script that sends the user's messages again, to this model over the Responses API.

    Functions do not run: a call is answered with the outputs recorded in the thread.
    """
    prompts = [message.text for message in thread.messages if message.role == "user" and message.text]
    recorded: dict[str, list[str]] = {}
    tools: dict[str, Json] = {}
    for call in (call for message in thread.messages for call in message.calls if not call.server):
        output = (call.result or stopped_result(call.call_id)).output
        recorded.setdefault(call.name, []).append(output)
        if _FUNCTION_NAME.fullmatch(call.name) and call.name not in tools:
            tools[call.name] = {
                "type": "function",
                "name": call.name,
                "description": f"Arguments such as {call.arguments[:500]}",
                "parameters": {"type": "object", "properties": {}, "additionalProperties": True},
                "strict": False,
            }
    request = "model=MODEL, input=messages, tools=TOOLS"
    tool_list = _literal(list(tools.values()))
    return _join(
        _THREAD_DOCSTRING + _import_lines([Import("openai", "OpenAI")]),
        f"MODEL = {_literal(model)}",
        f"# The user's messages.\nPROMPTS = {_literal(prompts)}",
        f"# The recorded outputs of each function, in order.\nRECORDED = {_literal(recorded)}",
        f"# A thread does not contain the parameters of its functions.\nTOOLS = {tool_list}",
        "MAX_ROUNDS = 20",
        _CALL_RECORDED,
        Template(_RESPOND).substitute(request=request),
        "client = OpenAI()\nmessages = []",
        _EACH_PROMPT + indent(_LOOP, "    "),
    )


_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

_TURN_DOCSTRING = '''\
"""One turn with a model, with the OpenAI SDK alone.

Needs: pip install openai{key}.
"""

'''

_THREAD_DOCSTRING = '''\
"""The user's messages of a conversation, sent again over the Responses API.

Needs: pip install openai, and OPENAI_API_KEY in the environment (OPENAI_BASE_URL for another server).
The functions do not run: each call gets the next recorded output of its function.
"""

'''

_RESPOND = '''
def respond(messages):
    """Print a response as it streams in and return its items."""
    items, final = [], None
    with client.responses.create(
        $request, stream=True
    ) as events:
        for event in events:
            if event.type in ("response.output_text.delta", "response.refusal.delta"):
                print(event.delta, end="", flush=True)
            elif event.type in ("response.output_text.done", "response.refusal.done"):
                print()
            elif event.type == "response.output_item.done":
                items.append(event.item)
            elif event.type in ("response.completed", "response.incomplete", "response.failed"):
                final = event
    # Functions run only after a complete response.
    if final is None:
        raise SystemExit("The answer was cut off.")
    if final.type != "response.completed":
        reason = final.response.error or final.response.incomplete_details
        raise SystemExit(f"The answer ended early: {reason}")
    return items
'''

_LOOP = """\
for _ in range(MAX_ROUNDS):
    items = respond(messages)
    messages += [item.to_dict(exclude_none=True) for item in items]
    calls = [item for item in items if item.type == "function_call"]
    if not calls:
        break
    for call in calls:
        output = call_function(call.name, call.arguments)
        messages.append({"type": "function_call_output", "call_id": call.call_id, "output": output})
else:
    raise SystemExit("The model keeps calling functions.")
"""

_CHAT_RESPOND = '''
def respond(messages):
    """Print an answer as it streams in and return its text and calls."""
    text, calls, ending = "", {}, None
    with client.chat.completions.create(
        $request, stream=True
    ) as chunks:
        for choice in (choice for chunk in chunks for choice in chunk.choices):
            ending = choice.finish_reason or ending
            piece = choice.delta.content or choice.delta.refusal or ""
            print(piece, end="", flush=True)
            text += piece
            for delta in choice.delta.tool_calls or []:
                empty = {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
                call = calls.setdefault(delta.index, empty)
                call["id"] = delta.id or call["id"]
                call["function"]["name"] = delta.function.name or call["function"]["name"]
                call["function"]["arguments"] += delta.function.arguments or ""
    if text:
        print()
    # Functions run only after a complete answer.
    if ending not in ("stop", "tool_calls"):
        raise SystemExit(f"The answer ended early: {ending or 'it was cut off'}")
    return text, list(calls.values())
'''

_CHAT_LOOP = """\
for _ in range(MAX_ROUNDS):
    text, calls = respond(messages)
    if not calls:
        break
    messages.append({"role": "assistant", "content": text or None, "tool_calls": calls})
    for call in calls:
        output = call_function(**call["function"])
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": output})
else:
    raise SystemExit("The model keeps calling functions.")
"""

_EACH_PROMPT = """\
for prompt in PROMPTS:
    print(f"> {prompt}")
    messages.append({"role": "user", "content": prompt})
"""

_CALL_RECORDED = '''
def call_function(name, arguments):
    """Return the next recorded output of the function."""
    outputs = RECORDED.get(name)
    output = outputs.pop(0) if outputs else '{"error": "No further output was recorded."}'
    print(f"[{name}({arguments}) -> {output}]")
    return output
'''


def _literal(value: Any, depth: int = 0) -> str:
    """Return a JSON value as a Python literal; characters that cannot be sent become U+FFFD."""
    match value:
        case str():
            return repr(replace_unsendable(value))
        case dict():
            items = [f"{_literal(name)}: {_literal(item, depth + 1)}" for name, item in value.items()]
        case list():
            items = [_literal(item, depth + 1) for item in value]
        case _:
            return repr(value)
    left, right = "{}" if isinstance(value, dict) else "[]"
    line = f"{left}{', '.join(items)}{right}"
    if len(line) + 4 * depth < 100 and "\n" not in line:
        return line
    margin = "    " * depth
    return f"{left}\n" + "".join(f"{margin}    {item},\n" for item in items) + f"{margin}{right}"


def _import_lines(imports: Iterable[Import]) -> str:
    in_order = sorted(imports, key=lambda item: (item.module != "__future__", bool(item.name), item))
    return "\n".join(map(str, in_order))


def _join(*blocks: str) -> str:
    return "\n\n".join(block.strip("\n") + "\n" for block in blocks)


def _chat_tool(tool: Json) -> Json:
    function = {name: tool[name] for name in ("name", "description", "parameters")}
    return {"type": "function", "function": function}


def _client(settings: Settings) -> str:
    url = redact_url(settings.base_url).partition("?")[0].rstrip("/")
    arguments = [f"base_url={url!r}"] if url else []
    if url and not settings.api_key:
        arguments.append('api_key="none"')
    return f"client = OpenAI({', '.join(arguments)})"
