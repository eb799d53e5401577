"""In Japanese, what the package says and the page only passes on: English sentences -> Japanese ones.

Not here: the page's own words (``words_ja.py``). What is not here is shown in English; so are settings errors
and what goes wrong with the database, which are for developers.

The one rule: a sentence stands here as it stands in the code, with a name in braces for each of its parts.
"""

RETOLD = {
    # How an answer ends: run.py, live.py, backends/endings.py.
    "Stopped.": "停止しました。",
    "Stopped: the answer became too long to keep.": "停止しました。回答が長すぎて保存できません。",
    "Stopped: the same call of {function} came again and again.": (
        "停止しました。{function} の同じ呼び出しが繰り返されました。"
    ),
    "Stopped after {count} rounds of function calls.": "関数の呼び出しが {count} ラウンドに達したため停止しました。",
    "The application ended in the middle of this answer.": "回答の途中でアプリケーションが終了しました。",
    "The application itself failed ({reason}).": "アプリケーションでエラーが起きました（{reason}）。",
    "The application itself failed ({reason}). Its log has more.": (
        "アプリケーションでエラーが起きました（{reason}）。詳細はログにあります。"
    ),
    "The answer was cut off: it reached the limit of output tokens.": (
        "出力トークンの上限に達したため、回答が途中で切れました。"
    ),
    "The answer was cut off by the server's content filter.": (
        "サーバーのコンテンツフィルターにより、回答が途中で切れました。"
    ),
    "The server ended the answer early ({reason}).": "サーバーが回答を途中で終えました（{reason}）。",
    "The answer was cut off: the conversation reached the limit of tokens that a run may read.": (
        "会話が 1 回の実行で読めるトークンの上限に達したため、回答が途中で切れました。"
    ),
    "The answer was cancelled at the server.": "回答はサーバーで取り消されました。",
    # What failed: backends/client.py.
    "{host} was silent for too long. Try again.": "{host} から長時間応答がありません。もう一度お試しください。",
    "{host} stopped in the middle of the answer.": "{host} が回答の途中で止まりました。",
    "{host} cannot be reached. Is the server running, the address right, the network up?": (
        "{host} に接続できません。サーバーの状態、アドレス、ネットワークを確認してください。"
    ),
    "The connection to {host} was lost in the middle of the answer.": "回答の途中で {host} との接続が切れました。",
    "{host} does not accept the key. Check OPENAI_API_KEY: it may be mistyped, expired or revoked.": (
        "{host} がキーを受け付けません。OPENAI_API_KEY に誤りがないか、期限切れや失効ではないかを確認してください。"
    ),
    "The account's quota or credit is used up. Add credit or raise the limit in its billing, then retry.": (
        "アカウントの利用枠またはクレジットを使い切りました。請求設定で追加するか上限を上げてから再試行してください。"
    ),
    "Too many requests just now at {host}. Wait {seconds} seconds and try again.": (
        "{host} へのリクエストが多すぎます。{seconds} 秒待って、もう一度お試しください。"
    ),
    "Too many requests just now at {host}. Wait a little and try again.": (
        "{host} へのリクエストが多すぎます。少し待って、もう一度お試しください。"
    ),
    "{host} does not offer this model to you. Set OPENAI_MODEL to one it has. It says: {words}": (
        "{host} ではこのモデルを使えません。OPENAI_MODEL に使えるモデルを設定してください。サーバーの応答: {words}"
    ),
    "This is more than the model can take in at once. Say it in smaller parts, or start a new chat.": (
        "モデルが一度に読める量を超えています。分けて送るか、新しいチャットを始めてください。"
    ),
    "{host} is overloaded or has an internal error. Try again in a moment.": (
        "{host} が混雑しているか、内部エラーが起きています。少し待って、もう一度お試しください。"
    ),
    "{host} refused this message under its usage policy. Word it differently. It says: {words}": (
        "{host} が利用規約によりこのメッセージを拒否しました。表現を変えてください。サーバーの応答: {words}"
    ),
    "Another answer is still being written in this conversation.": "この会話では、別の回答がまだ作成中です。",
    "{host} failed. Try again in a moment. It says: {words}": (
        "{host} でエラーが起きました。少し待って、もう一度お試しください。サーバーの応答: {words}"
    ),
    "{host} refused the request. It says: {words}": "{host} がリクエストを拒否しました。サーバーの応答: {words}",
    # Remarks in an answer.
    "The conversation is too long for the model: it is told only the newest part of it.": (
        "会話がモデルには長すぎるため、新しい部分だけを伝えました。"
    ),
    "The server no longer has its copy of this conversation; it was written anew.": (
        "サーバーにこの会話の写しがなくなっていたため、書き直しました。"
    ),
    "The server could not go on with its copy of this conversation; it was written anew.": (
        "サーバーがこの会話の写しを続けられなかったため、書き直しました。"
    ),
    "The server could not go on with its copy of this conversation; it was begun anew.": (
        "サーバーがこの会話の写しを続けられなかったため、始め直しました。"
    ),
    "The model does not take the parameter {name}; it was asked without it.": (
        "モデルがパラメーター {name} を受け付けないため、それなしで送りました。"
    ),
    # What cannot be done just now: live_runs.py, store.py.
    "An answer is still being written here. Wait for it, or stop it.": (
        "回答がまだ作成中です。終わるのを待つか、停止してください。"
    ),
    "Another process of this application is answering this thread. Wait for it, or stop it there.": (
        "このスレッドには、本アプリケーションの別のプロセスが回答中です。終わるのを待つか、そちらで停止してください。"
    ),
    # What cannot be attached or transcribed: attachments.py, backends/voice.py.
    "{name} is empty.": "{name} は空です。",
    "{name} cannot be read by a model. What can: {kinds}.": (
        "{name} はモデルが読めません。読めるのは、PNG、JPEG、WebP、GIF の画像、PDF、各種のテキストファイルです。"
    ),
    "{name} is not attached: {taker} takes no {kind}.": "{name} は添付できません。{taker}では扱えない種類です。",
    "{name} is too long: it has {length} characters, and at most {most} can be read as a part of a message.": (
        "{name} は長すぎます。{length} 文字あります（上限 {most} 文字）。"
    ),
    "{name} is too large: it has {size}, at most {most}.": "{name} は大きすぎます。{size} あります（上限 {most}）。",
    "{name} is one too many: at most {most} files go with a message.": (
        "{name} は添付できません。1 件のメッセージに添付できるのは {most} 個までです。"
    ),
    "{name} is too much: all files of a message may have {most} together.": (
        "{name} は添付できません。1 件のメッセージの添付は合計 {most} までです。"
    ),
    "The recording is empty.": "録音が空です。",
    "Nothing was heard in the recording.": "録音から何も聞き取れませんでした。",
    # What cannot be connected to: backends/connections.py.
    "Enter your API key.": "アカウントのキーを入力してください。",
    "Remove the user name and password from the address and enter a key instead.": (
        "アドレスから名前とパスワードを除き、代わりにキーを入力してください。"
    ),
    "This is not a valid address. Include the scheme, such as http://localhost:11434/v1.": (
        "アドレスではありません。http://localhost:11434/v1 のように、スキームから書いてください。"
    ),
    # What a call does: tools.py, and the example functions.
    "Running {function}": "{function} を実行しています",
    "Looking at the clock in {time_zone}": "{time_zone} の時刻を確認しています",
    "Reading the weather in {city}": "{city} の天気を調べています",
    "Reading the forecast for {city}": "{city} の天気予報を調べています",
    "Comparing hotel prices": "ホテルの料金を比べています",
    "Calculating {expression}": "{expression} を計算しています",
    "Looking for hotels in {city}": "{city} のホテルを探しています",
    "Booking hotel {hotel_id} for {guest}": "{guest} 様の名前でホテル {hotel_id} を予約しています",
    "Looking for events in {city}": "{city} のイベントを探しています",
    # The tapes that come with the project, by their files' names.
    "a function that fails": "失敗する関数",
    "in Japanese": "日本語での会話",
    "weather then a hotel": "天気、それからホテル",
}
