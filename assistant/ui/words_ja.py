"""The interface in Japanese: English words, as they stand in the code -> Japanese ones.

The one rule: every sentence that the code says through ``words.say`` is here, with the same parts in braces.
"""

JAPANESE = {
    # streamlit_app.py
    "New chat": "新しいチャット",
    "Ask anything": "メッセージを入力",
    # hosted.py, citations.py, switches.py
    "failed": "失敗",
    "stopped": "停止",
    "Thinking": "考え中",
    "Opened {host}": "{host} を開きました",
    "a page": "ページ",
    "Looked through a page": "ページの中を探しました",
    "Searching the web": "ウェブを検索中",
    "Searched the web": "ウェブを検索しました",
    "Searching the files": "ファイルを検索中",
    "Searched the files": "ファイルを検索しました",
    "Writing and running code": "コードを書いて実行中",
    "Ran code": "コードを実行しました",
    "Making a picture": "画像を作成中",
    "Made a picture": "画像を作成しました",
    "Asking {server}": "{server} に問い合わせ中",
    "Sources": "出典",
    "Fetch {name}": "{name} を取得",
    "Save {name}": "{name} を保存",
    "{name} cannot be fetched. {why}": "{name} を取得できません。{why}",
    "Tools: {names}": "ツール：{names}",
    "none": "なし",
    "The server runs these itself. Some of them cost more than the tokens.": (
        "これらはサーバー側で実行されます。トークンとは別に料金がかかるものもあります。"
    ),
    "Try “Search the web for Kyoto”, “Paint the sea” or “Ask the library about Oslo”.": (
        "「京都をウェブで検索して」「海の絵を描いて」「図書館でオスロの本を探して」と書いてみてください。"
    ),
    "web search": "ウェブ検索",
    "code": "コード",
    "pictures": "画像",
    "files {name}": "ファイル {name}",
    # steps.py
    "allowed by you": "許可済み",
    # approval.py, the card of a remote server's tool
    "{name} of the server {server} waits for your decision": (
        "サーバー {server} の {name} が許可を待っています"
    ),
    "It is run there, with these arguments. What it gives is read by the model.": (
        "この引数でサーバー側で実行され、結果はモデルが読みます。"
    ),
    "Allow": "許可",
    "Deny": "拒否",
    "Reason, for the model": "理由(モデルに伝えます)",
    "Deny the call": "この呼び出しを拒否",
}
