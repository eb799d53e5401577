"""Chainlit on the Responses API, as its documentation shows it."""

import chainlit
from openai import AsyncOpenAI
from openai.types.responses import ResponseTextDeltaEvent

client = AsyncOpenAI()


@chainlit.on_message  # type: ignore[untyped-decorator]
async def respond(_: chainlit.Message) -> None:
    answer = chainlit.Message("")
    messages = chainlit.chat_context.to_openai()
    async for event in await client.responses.create(model="gpt-6-luna", input=messages, stream=True):
        if isinstance(event, ResponseTextDeltaEvent):
            await answer.stream_token(event.delta)
    await answer.update()
