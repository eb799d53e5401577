"""The interface in Japanese: English words, as they stand in the code -> Japanese ones.

Not here: what the package says and the page only passes on (``retold_ja.py``).

The one rule: every sentence that the code says through ``words.say`` is here, with the same parts in braces.
"""

JAPANESE = {
    # words.py
    "Language": "言語",
    # streamlit_app.py
    "New chat": "新しいチャット",
    "Ask anything": "メッセージを入力",
    "Sandbox": "サンドボックス",
    "What goes over the wire, the functions, the code, and faults": "通信の内容、関数、コード、障害の再現",
    "This is the built-in demo: a stand-in without a model. To connect one, open *Connection* in the sidebar, "
    "or set `OPENAI_API_KEY` (or `OPENAI_BASE_URL`) in `.env` and reload.": (
        "これは内蔵デモです。モデルの代わりに決まった応答を返します。モデルに接続するには、サイドバーの「接続」を開くか、"
        "`.env` に `OPENAI_API_KEY`（または `OPENAI_BASE_URL`）を設定して再読み込みしてください。"
    ),
    "Answers stream in; every function call is shown with what came of it.": (
        "回答は生成され次第、順に表示されます。関数の呼び出しは、すべて結果とともに表示されます。"
    ),
    "{model} over {protocol}": "{model}（{protocol}）",
    "Answers by {by}; every function call is shown with what came of it.": (
        "回答: {by}。関数の呼び出しは、すべて結果とともに表示されます。"
    ),
    "Broken on purpose: {faults}": "意図的な障害: {faults}",
    "Threads are not kept just now. {why}": "現在、スレッドは保存されていません。{why}",
    "That answer did not end well. What waited is back in the input.": (
        "回答が最後まで終わりませんでした。送信待ちのメッセージを入力欄に戻しました。"
    ),
    "Files cannot wait: send them when the answer has come to its end.": (
        "ファイルは送信待ちにできません。回答が終わってから送信してください。"
    ),
    "Show earlier messages ({count})": "以前のメッセージを表示（{count} 件）",
    "Another process of this application is writing this answer.": (
        "この回答は、本アプリケーションの別のプロセスで作成中です。"
    ),
    "Stop": "停止",
    "the built-in demo": "内蔵デモ",
    "this connection": "この接続",
    "Too much waits here already. Your message is back in the input.": (
        "送信待ちのメッセージが多すぎます。メッセージを入力欄に戻しました。"
    ),
    "It is not deleted. {why}": "削除できませんでした。{why}",
    "It is deleted here, but not at the server. {why}": "ここからは削除しましたが、サーバーには残っています。{why}",
    "There is no thread by the id in the address, so this is a new one.": (
        "アドレスの ID に当たるスレッドがないため、新しいスレッドを開きました。"
    ),
    "Retry": "再試行",
    "Play a tape: {name}": "テープを再生: {name}",
    "{why} Your message is back in the input.": "{why}メッセージを入力欄に戻しました。",
    # again.py
    "Run {function} again": "{function} を再実行",
    "This is what it gives now. The model was not told.": "今回の結果です。モデルには伝えていません。",
    # approval.py
    "**{function}** waits for your decision": "**{function}** が判断を待っています",
    "Arguments": "引数",
    "The answer goes on when all {count} are decided on; {left} to go.": (
        "{count} 件すべてを決めると回答が続きます。残り {left} 件です。"
    ),
    "There is no function by this name here. You can answer in its place, or deny the call.": (
        "この名前の関数はありません。代わりに回答するか、呼び出しを拒否できます。"
    ),
    "Correct them here; if you press Run, the model is told.": (
        "ここで直せます。このまま実行すると、モデルにその旨が伝わります。"
    ),
    "Run": "実行",
    "**{function}** will run": "**{function}** を実行します",
    "**{function}** will run with your arguments": "**{function}** を変更後の引数で実行します",
    "**{function}** will be denied": "**{function}** を拒否します",
    "**{function}** will get your answer": "**{function}** に代わって回答します",
    "Change": "変更",
    "Deny": "拒否",
    "Reason, for the model": "モデルに伝える理由",
    "optional": "任意",
    "Deny the call": "呼び出しを拒否",
    "Answer myself": "自分で回答",
    "Output, as the model will read it": "モデルに渡す出力",
    "Give this answer": "この内容で回答",
    # attachments.py
    "The recording could not be transcribed. {why}": "録音を文字にできませんでした。{why}",
    "It is not sent yet: see above the input.": "まだ送信していません。入力欄の上をご確認ください。",
    "This was heard. Change what is wrong, and send it.": "聞き取った内容です。必要なら直して送信してください。",
    "This was heard. Copy it into the input.": "聞き取った内容です。入力欄にコピーしてください。",
    "Transcribe again": "もう一度文字にする",
    "Discard": "破棄",
    "With your next message:": "次のメッセージに添付:",
    "Writing down what you said …": "音声を文字にしています…",
    "The recording is not written down.": "録音はまだ文字になっていません。",
    "Do not send it": "添付をやめる",
    # branches.py
    "Your message": "メッセージ",
    "Edit": "編集",
    "Save": "保存",
    "Cancel": "キャンセル",
    "Regenerate": "再生成",
    "The version before this one": "前の版",
    "The version after this one": "次の版",
    # chat.py
    "Thinking": "考えています",
    "Preparing {function}": "{function} を準備しています",
    "{doing}: {how_far}": "{doing}: {how_far}",
    "and {count} more": "ほか {count} 件",
    ", ": "、",
    "Waiting for your decision.": "判断を待っています。",
    "Reasoning": "推論",
    "Reasoned for {time}": "推論: {time}",
    # connection.py
    "As configured": "設定どおり",
    "Demo": "デモ",
    "A server on this machine": "このマシンのサーバー",
    "Another address": "ほかのアドレス",
    "{model} at {address}": "{model}（{address}）",
    "Connection": "接続",
    "Built-in demo": "内蔵デモ",
    "Answers come from": "接続先",
    "Test": "テスト",
    "Use this connection": "この接続を使う",
    "Choose a model, or type the name of one.": "モデルを選ぶか、名前を入力してください。",
    "Base URL": "ベース URL",
    "Key": "キー",
    "Key, if it asks for one": "キー（必要な場合）",
    "The one in use": "使用中のキー",
    "It is kept for this browser session only, and forgotten with it.": (
        "このブラウザーセッションの間だけ保持し、終了とともに破棄します。"
    ),
    "Model": "モデル",
    "Server": "サーバー",
    "None was found. Ollama, LM Studio, llama.cpp and vLLM are looked for at their usual ports.": (
        "見つかりませんでした。Ollama、LM Studio、llama.cpp、vLLM を標準のポートで探します。"
    ),
    "Type the name of a model": "モデル名を入力",
    "Reasoning effort": "推論の強度",
    "The model's own": "モデルの既定値",
    "Look again": "もう一度探す",
    "Looking for models": "モデルを探しています",
    # failure.py
    "You can try again in {time}.": "{time}後に再試行できます。",
    "{seconds} s": "{seconds} 秒",
    "{minutes} min": "{minutes} 分",
    "{hours} h": "{hours} 時間",
    # findings.py
    "Trying it out …": "接続を試しています…",
    # footer.py
    "{minutes} min {seconds} s": "{minutes} 分 {seconds} 秒",
    "{count} tokens": "{count} トークン",
    "{input} tokens in, {cached} of them cached; {output} out, {reasoning} of them reasoning": (
        "入力 {input} トークン（うちキャッシュ {cached}）、出力 {output} トークン（うち推論 {reasoning}）"
    ),
    "{counts} in {rounds} responses": "{counts}、応答 {rounds} 回",
    "Say why, if you like": "よろしければ理由をお聞かせください",
    "Copy the answer": "回答をコピー",
    # hearing.py
    "The answer is complete.": "回答が終わりました。",
    "The answer is complete: {beginning}": "回答が終わりました。{beginning}",
    # inspector.py
    "Events": "イベント",
    "Timing": "時間",
    "Sequence": "シーケンス",
    "Check": "検査",
    "Tape": "テープ",
    "At once": "一度に",
    "View": "表示",
    "Nothing has been recorded yet. Send a message, and every event of its answer is shown here.": (
        "まだ何も記録されていません。メッセージを送ると、回答のすべてのイベントがここに表示されます。"
    ),
    "Sequence diagram of the run": "実行のシーケンス図",
    "As text": "テキストで表示",
    "All {count} entries keep to the protocol.": "{count} 件の記録は、すべてプロトコルどおりです。",
    "All {count} entries so far keep to the protocol.": "これまでの {count} 件の記録は、すべてプロトコルどおりです。",
    "Each answer ends once and says nothing after; its numbers rise; its pieces make the whole; each call is "
    "answered once, and nothing else is; functions run only after their round ended well.": (
        "各回答は一度だけ終わり、その後は何も続きません。番号は増え続け、断片は全体と一致します。"
        "各呼び出しに結果が一つずつあり、余分な結果はありません。関数は、ラウンドが正常に終わった後にだけ実行されます。"
    ),
    "{count} found that the protocol does not allow.": "プロトコルに反する箇所が {count} 件見つかりました。",
    "These are the first {count}.": "最初の {count} 件を表示しています。",
    "Show it among the events": "イベントの一覧で表示",
    "{count} entries, {size} kB. Keys, cookies and authorization are not on it; what was said is.": (
        "{count} 件、{size} kB。キー、Cookie、認証情報は含まれませんが、会話の内容は含まれます。"
    ),
    "Save the tape": "テープを保存",
    "Save as a test": "テストとして保存",
    "A zip of the tape and a test for pytest that plays it and looks whether all is the same": (
        "テープと、それを再生して結果が同じかを確かめる pytest のテストを ZIP で保存します"
    ),
    "Speed": "速度",
    "Play it again": "もう一度再生",
    "Through the same client, backend and loop, without a server and without running a function": (
        "同じクライアント、バックエンド、ループを通して再生します。サーバーは使わず、関数も実行しません"
    ),
    # inspector_events.py
    "Its number on the tape": "テープ上の番号",
    "Seconds since the run began": "実行開始からの秒数",
    "Milliseconds since the entry before": "直前の記録からのミリ秒数",
    "↑ sent, ↓ received, · said by the application itself; × pieces of one text": (
        "↑ 送信、↓ 受信、· アプリケーション自身の記録、× 一つのテキストの断片"
    ),
    "{rows} rows of {entries} entries. Click one to see all of it.": (
        "{rows} 行（記録 {entries} 件）。クリックすると全体を表示します。"
    ),
    "Types": "種類",
    "All types": "全種類",
    "Rounds": "ラウンド",
    "All rounds": "全ラウンド",
    "Round {number}": "ラウンド {number}",
    "Before": "開始前",
    "Entry {number}": "記録 {number}",
    "Entries {first} to {last}": "記録 {first}～{last}",
    "of exchange {number}": "通信 {number}",
    # inspector_live.py
    "Recording …": "記録中…",
    "{count} entries": "{count} 件",
    # inspector_timing.py
    "Nothing has taken time yet.": "まだ計測するものがありません。",
    "These are the first {shown} of {count}; the table has all of them.": (
        "{count} 件のうち最初の {shown} 件です。すべては表にあります。"
    ),
    "As a table": "表で表示",
    "First event": "最初のイベント",
    "First text": "最初のテキスト",
    "Since the run began": "実行開始からの時間",
    "Whole": "全体",
    "From its beginning to the last entry": "開始から最後の記録まで",
    "Tokens": "トークン",
    "Per second, while text or arguments were being written; without reasoning": (
        "テキストまたは引数を書いている間の、1 秒当たりの数（推論を除く）"
    ),
    "Cost": "費用",
    # queue.py
    "Next": "送信待ち",
    "Take it back into the input": "入力欄に戻す",
    # sandbox.py
    "Functions": "関数",
    "Code": "コード",
    "Faults": "障害",
    "Ask me before every call": "呼び出しのたびに確認",
    "Then a function need not even exist: its call can be answered by hand.": (
        "関数がまだなくても、呼び出しに手動で回答できます。"
    ),
    "The functions gave what they gave on the tape.": "関数の結果はテープと同じでした。",
    "Play another tape": "ほかのテープを再生",
    "A tape that was saved": "保存したテープ",
    "Run the functions again": "関数を実行し直す",
    "Else they give what they gave on the tape. Where they differ now is said above.": (
        "オフの場合は、テープに記録された結果を使います。違いがあれば上に表示します。"
    ),
    "Say something first: the code that says it with the SDK alone is shown here.": (
        "まずメッセージを送ってください。SDK だけで同じことをするコードがここに表示されます。"
    ),
    "The last message, said with the SDK alone: the loop, and the functions that were called. It runs as it "
    "is, with your key in the environment.": (
        "最後のメッセージを SDK だけで送るコードです。ループと、呼び出された関数を含みます。"
        "環境変数にキーを設定すれば、そのまま動きます。"
    ),
    "One request, as it was sent": "実際に送ったリクエスト",
    "What is broken on purpose, from the next message on, in this session.": (
        "次のメッセージから、このセッションで意図的に起こす障害です。"
    ),
    "A kind, and the number of its event or its amount; @2 for the second round alone. random draws one; "
    "seed=7 decides which.": (
        "種類と、イベントの番号または量を書きます。@2 は 2 回目のラウンドだけを指します。"
        "random は無作為に一つ選び、seed=7 で固定できます。"
    ),
    "On the stream": "ストリーム",
    "On functions": "関数",
    "Break nothing": "障害をなくす",
    "Expected: {outcome}": "期待される結果: {outcome}",
    # sidebar.py
    "Search": "検索",
    "Search all that was said": "会話の内容を検索",
    "Show more": "さらに表示",
    "Nothing found.": "見つかりませんでした。",
    "What you talk about will be listed here.": "会話がここに並びます。",
    "Import a thread": "スレッドを読み込む",
    "A thread exported as JSON": "JSON で書き出したスレッド",
    "Look at the server": "サーバーを見る",
    "Rename, export, delete": "名前の変更、書き出し、削除",
    "Title": "タイトル",
    "JSON, to import again": "JSON（再読み込み用）",
    "Python script": "Python スクリプト",
    "Delete it for good, here and at the server": "ここからもサーバーからも完全に削除",
    "Delete": "削除",
    "Today": "今日",
    "Yesterday": "昨日",
    "Last 7 days": "過去 7 日間",
    "Last 30 days": "過去 30 日間",
    "Earlier": "それ以前",
    "At the server": "サーバー上",
    # steps.py
    "failed": "失敗",
    "took too long": "時間切れ",
    "wrong arguments": "引数の誤り",
    "no such function": "関数なし",
    "stopped": "停止",
    "denied": "拒否",
    "waits for you": "判断待ち",
    "arguments changed by you": "引数を変更",
    "answered by you": "手動で回答",
    "Its events": "イベントを表示",
    "What the model reads": "モデルが読む内容",
    "These are the first {shown} of {count} characters.": "{count} 文字のうち最初の {shown} 文字です。",
    "Save all of it": "すべて保存",
    "{count} ms": "{count} ms",
    # views.py
    "A table": "表",
    "A chart": "グラフ",
    "A map of points": "地点の地図",
    "An image": "画像",
    "A diagram": "図",
    "Save {name}": "{name} を保存",
    "Not shown: {why}": "表示できません: {why}",
    "There is a {kind} here that cannot be shown.": "ここにある{kind}は表示できません。",
    "table": "表",
    "chart": "グラフ",
    "map": "地図",
    "image": "画像",
    "file": "ファイル",
    "diagram": "図",
    "The first {rows} rows and {columns} columns of {all_rows} rows and {all_columns} columns.": (
        "{all_rows} 行 {all_columns} 列のうち、最初の {rows} 行 {columns} 列です。"
    ),
    # workbench.py
    "There are no functions. Put one into a file in assistant/functions, and reload the page.": (
        "関数がありません。assistant/functions にファイルを置き、ページを再読み込みしてください。"
    ),
    "Function": "関数",
    "*It has no description.*": "*説明がありません。*",
    "A model's call of it waits for a person's approval. From here it is run at once.": (
        "モデルが呼び出すと、人の承認を待ちます。ここからはすぐに実行されます。"
    ),
    "As the model is told of it": "モデルへの説明",
    "Every request spends about {tokens} tokens on this function, and about {all} on all {count} (estimated).": (
        "リクエストごとに、この関数に約 {tokens} トークン、全 {count} 個の関数に約 {all} トークンを使います（推定）。"
    ),
    "1 remark": "指摘 1 件",
    "{count} remarks": "指摘 {count} 件",
    "It runs …": "実行中…",
    "It gave its result, after {time}.": "{time}で結果を返しました。",
    "It failed, after {time}.": "{time}で失敗しました。",
    "It took too long and was left behind, after {time}.": "時間がかかりすぎたため、{time}で打ち切りました。",
    "It does not take these arguments, and was not run, after {time}.": (
        "この引数は受け付けられないため、実行しませんでした（{time}）。"
    ),
    "What the model gets: {characters} characters, about {tokens} tokens (estimated)": (
        "モデルに渡る内容: {characters} 文字、約 {tokens} トークン（推定）"
    ),
    "For you alone": "画面にだけ表示",
    "Write the arguments as JSON": "引数を JSON で書く",
    "not given": "指定なし",
    "one in each line": "1 行に 1 つ",
    "this is not JSON. {why}.": "JSON ではありません。{why}",
    "{text} is not a whole number.": "{text} は整数ではありません。",
    "{text} is not a number.": "{text} は数値ではありません。",
    # hosted.py, citations.py, switches.py
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
    "file search": "ファイル検索",
    "Files that you attach are put in at the server, and searched there.": (
        "添付したファイルはサーバーに保存され、そこで検索されます。"
    ),
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
    # access.py, ui/door.py
    "ASSISTANT_PASSWORD is set, and sign-in is too. Nobody can come in until one of them is gone.": (
        "ASSISTANT_PASSWORD とサインインの両方が設定されています。どちらかを外すまで、誰も入れません。"
    ),
    "ASSISTANT_ALLOWED is set, but nobody can sign in: Streamlit's secrets have no [auth] section.": (
        "ASSISTANT_ALLOWED は設定されていますが、Streamlit のシークレットに [auth] がないため、"
        "誰もサインインできません。"
    ),
    "Sign-in is set up, but nobody may come in: set ASSISTANT_ALLOWED to addresses or domains, "
    "or to * for everybody who can sign in.": (
        "サインインは設定されていますが、誰も入れません。ASSISTANT_ALLOWED にアドレスかドメインを、"
        "サインインできる全員を入れるなら * を設定してください。"
    ),
    "Nobody can sign in: the [auth] section of Streamlit's secrets lacks {missing}.": (
        "誰もサインインできません。Streamlit のシークレットの [auth] に {missing} がありません。"
    ),
    "Nobody can sign in: Authlib is not installed. Run: pip install 'streamlit[auth]'": (
        "誰もサインインできません。Authlib がありません。次を実行してください: pip install 'streamlit[auth]'"
    ),
    "The provider does not say who you are, so you cannot come in.": (
        "プロバイダーがあなたが誰かを伝えないため、入れません。"
    ),
    "The provider does not tell your e-mail address, so you cannot come in.": (
        "プロバイダーがメールアドレスを伝えないため、入れません。"
    ),
    "{address} is not verified, so you cannot come in.": "{address} は確認されていないため、入れません。",
    "{address} is not among those who may come in.": "{address} は入れる人の中にありません。",
    "Password": "パスワード",
    "Come in": "入る",
    "This is not the password.": "パスワードが違います。",
    "There were too many wrong tries. Wait a few seconds and try again.": (
        "間違いが多すぎました。数秒待ってから、もう一度試してください。"
    ),
    "Sign in": "サインイン",
    "Sign in with {provider}": "{provider} でサインイン",
    "Sign out": "サインアウト",
    # ui/wallet.py
    "The built-in demo answers here: this page has a key, but nothing says who may use it. If you "
    "have a key, open *Connection* in the sidebar. The owner of this page sets `ASSISTANT_PASSWORD`, "
    "`ASSISTANT_ALLOWED` or `ASSISTANT_LIMIT_ALL`.": (
        "ここでは内蔵デモが答えます。このページにはキーがありますが、誰が使えるかが設定されていません。"
        "ご自分のキーがあれば、サイドバーの *Connection* を開いてください。"
        "ページの持ち主は `ASSISTANT_PASSWORD`、`ASSISTANT_ALLOWED`、"
        "`ASSISTANT_LIMIT_ALL` のどれかを設定します。"
    ),
    "What is spent cannot be counted just now, so nothing is. Try again in a minute.": (
        "今は使用量を数えられないため、使えません。1 分後にもう一度試してください。"
    ),
    "All that may be spent here is spent for now. There is room again at {time}, in {wait}.": (
        "ここで使える分は今のところ使い切りました。{time}（あと {wait}）にまた使えます。"
    ),
    "You have asked as much as one person may for now. There is room again at {time}, in {wait}.": (
        "お一人で使える分は今のところ使い切りました。{time}（あと {wait}）にまた使えます。"
    ),
    "It is not asked yet: your message is back in the input.": (
        "まだ送っていません。メッセージは入力欄に戻りました。"
    ),
    # ui/sidebar.py
    "The address of this page is the only key to this chat: keep it to come back, and give it only to those "
    "who may read it.": (
        "このページのアドレスが、このチャットを開く唯一の鍵です。戻るために控えておき、読んでよい人にだけ渡してください。"
    ),
}
