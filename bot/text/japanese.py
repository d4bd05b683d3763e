"""The Japanese catalogue: the sentences of bot/english.py, the errors of core/errors.py, and the command names."""

# ruff: noqa: E501 - a sentence stays on one line, where it can be searched for
from __future__ import annotations

from typing import Final

TEXT: Final[dict[str, str]] = {
    "seconds": "{n}秒",
    "minutes": "{n}分",
    "hours": "{n}時間",
    "days": "{n}日",
    "on": "オン",
    "off": "オフ",
    "none": "なし",
    "face.unnamed": "顔{n}",
    "work.title": "写真を処理しています",
    "work.received": "受け取りました。写真を読み込んでいます…",
    "work.queued": "順番待ち：{place}番目、あと約{eta}です。",
    "work.projecting": "この顔を生成モデルの中で探しています…",
    "work.drawing": "描いています…",
    "work.step": "{steps}ステップ中{step}、残り約{eta}。",
    "work.cancelled": "中止しました。何も保存していません。",
    "work.cancelled.source": "元の写真またはそのデータが消去されたため中止しました。何も保存していません。",
    "work.gone": "中止するものはもうありません。",
    "button.cancel": "中止",
    "faces.choose": "### 顔が{count}人分見つかりました\nどの顔にしますか？番号は左からです。",
    "faces.choose.more": "最初の{shown}人だけを表示しています。",
    "faces.choose.barred": "このほかに、egaoが扱わない顔が{count}人分あります。",
    "faces.number": "**顔{n}**",
    "faces.select": "顔を選ぶ",
    "faces.all": "全員（編集{count}回分）",
    "faces.expired": "この選択は終了しました。もう一度写真を送ってください。",
    "result.title": "### 強さ {strength}",
    "result.caption": "{kind} · 依頼者：{member}",
    "result.caption.edited": "AIで編集した画像です",
    "result.caption.untouched": "写真のままの画像です",
    "result.kept": "顔のデータは{until}まで保存されます。`/forget`ですぐに消去できます。",
    "result.erased": "この顔のデータはもうありません。写真をもう一度送ってください。保存中の顔は`/faces`で確認できます。",
    "result.crop": "元の写真がもう見つからないため、顔の部分だけを表示しています。写真をもう一度送ると、写真の中に戻せます。",
    "result.download": "### フルサイズ、強さ {strength}",
    "result.animation": "### 無表情から {strength} まで",
    "result.deleted": "画像を削除しました。顔のデータは{until}まで保存されます。",
    "result.deleted.gone": "画像を削除しました。",
    "result.face.erased": "顔のデータと、そこから作ったものをすべて消去しました。",
    "alt.original": "写真のままの顔",
    "alt.neutral": "AI編集：同じ顔の無表情",
    "alt.edited": "AI編集：同じ顔、強さ {strength}",
    "alt.animation": "AI編集のアニメーション：無表情から強さ {strength} まで変わる顔",
    "alt.preview": "途中経過のプレビュー",
    "alt.face": "写真の中の顔{n}",
    "button.minus": "− 弱く",
    "button.plus": "+ 強く",
    "button.neutral": "無表情",
    "button.original": "元の顔",
    "button.exact": "数値で指定…",
    "button.animate": "動かす",
    "button.download": "フルサイズ",
    "button.delete": "削除",
    "button.report": "報告",
    "button.erase.face": "顔のデータも消す",
    "modal.exact.title": "強さを数値で指定",
    "modal.exact.label": "強さ（{low}から{high}まで）",
    "modal.exact.hint": "0が写真のままの顔です。編集は毎回、元の顔から行います。",
    "modal.exact.bad": "「{value}」は数値ではありません。1.5のように入力してください。",
    "report.title": "この画像を報告する",
    "report.label": "どんな問題がありますか？",
    "report.hint": "このサーバーの管理者だけが読みます。",
    "report.thanks": "ありがとうございます。このサーバーの管理者に伝えました。",
    "report.nowhere": "ありがとうございます。報告を保存しました。管理者は`/egao status`で確認できます。",
    "report.direct": "ダイレクトメッセージには管理者がいません。「削除」か`/forget`を使うか、Botの運営者に連絡してください。",
    "report.done": "対応済みにする",
    "report.handled": "### 報告は対応済みです\n{admin}が{link}の報告に対応しました。報告は消去しました。",
    "report.handled.gone": "### 報告は対応済みです\nこの報告はすでに対応済みか、期限が切れています。",
    "report.notice": "### 画像が報告されました\n報告者：{reporter}、対象：{link}\n> {reason}",
    "consent.notice": (
        "### 最初の写真の前に\n"
        "egaoは、あなたが送った写真から顔を見つけ、別の表情で描き直します。\n"
        "- **保存するもの：** 顔を数値で表したデータと小さな顔画像です。どちらも暗号化し、このサーバーでは{retention}時間保存します。"
        "写真そのものをディスクに書き込むことはありません。\n"
        "- **しないこと：** 個人の識別、ほかの人との照合、あなたの写真を使った学習は行いません。\n"
        "- **表示：** 結果には必ずAIで編集したことを示します。\n"
        "- **消去：** `/forget`ですぐにすべて消去できます。写真のメッセージを削除しても消えます。"
        "`/export`で写しを受け取れ、`/privacy`で詳しく読めます。\n"
        "同意すると、あなたが18歳以上であり、写っている人があなた自身か、編集を承諾した人であると認めたことになります。"
    ),
    "consent.agree": "同意する",
    "consent.decline": "同意しない",
    "consent.thanks.resend": "ありがとうございます。もう一度、写真を送るかコマンドを実行してください。",
    "consent.heard": "すでに同意していただいています。依頼は処理中か、回答済みです。",
    "consent.declined": "何も読み取らず、何も保存していません。気が変わったら、いつでも写真を送ってください。",
    "consent.other": "これは別の人への確認です。自分の写真を送ると、あなたにも確認が届きます。",
    "photo.several": "メッセージの画像{count}枚のうち、最初の1枚です。ほかの画像は1枚ずつ送ってください。",
    "photo.content.off": (
        "メッセージ内容の権限なしで動いているため、チャンネルの写真を見ることができません。"
        "写真を付けたメッセージで私にメンションするか、`/{command}`か「アプリ > {menu}」を使ってください。"
    ),
    "photo.drop.hint": "顔の写った写真を送るか、`/{command}`を使ってください。詳しくは`/help`をどうぞ。",
    "mine.faces.title": "### このサーバーにあるあなたの顔",
    "mine.faces.title.direct": "### ダイレクトメッセージにあるあなたの顔",
    "mine.faces.none": "ここには、あなたの顔のデータはありません。",
    "mine.faces.line": "**{n}. {name}** · {until}まで",
    "mine.faces.latest": "`/{command}`で使う顔",
    "mine.faces.page": "{page}/{pages}ページ",
    "mine.faces.select": "変更する顔を選ぶ",
    "mine.faces.picked": "これから`/{command}`と`/neutral`では**{name}**を使います。",
    "mine.faces.renamed": "名前を**{name}**に変えました。",
    "mine.faces.deleted": "**{name}**を消去しました。",
    "mine.faces.manage": "### {name}\n{until}まで保存されます。",
    "button.face.use": "この顔を使う",
    "button.face.rename": "名前を変える…",
    "button.face.delete": "消去",
    "button.page.back": "◀",
    "button.page.on": "▶",
    "button.face.back": "一覧に戻る",
    "modal.rename.title": "顔の名前を変える",
    "modal.rename.label": "新しい名前（あなたにだけ見えます）",
    "queue.none": "順番待ちはありません。",
    "queue.title": "### あなたの依頼",
    "queue.line": "- {kind}：{state}",
    "queue.waiting": "{place}番目、あと約{eta}",
    "queue.running": "処理中",
    "queue.choosing": "顔の選択を待っています",
    "queue.all": "全体で{count}件が待っています。",
    "kind.photo": "写真",
    "kind.edit": "強さの変更",
    "kind.animate": "アニメーション",
    "kind.download": "フルサイズの画像",
    "forget.ask": (
        "### すべて消去しますか？\n"
        "すべてのサーバーにあるあなたの顔、画像の記録、設定、同意をすぐに消去します。元に戻せません。"
        "投稿済みの画像は、そのメッセージを削除するまでDiscordに残ります。"
    ),
    "forget.confirm": "すべて消去する",
    "forget.cancel": "残しておく",
    "forget.done": "egaoが保存していたあなたのデータをすべて消去しました。",
    "forget.kept": "何も消去していません。",
    "export.ready": "egaoが保存しているあなたのデータは、すべてこのファイルに入っています。",
    "export.none": "egaoはあなたについて何も保存していません。",
    "export.part": "egaoが保存しているあなたのデータの{number}番目のファイルです。続きがあります。",
    "export.last": "egaoが保存しているあなたのデータの{number}番目のファイルです。これで最後です。",
    "visibility.public": "これから、コマンドの結果は全員に表示されます。",
    "visibility.private": "これから、コマンドの結果はあなたにだけ表示されます。",
    "help.text": (
        "### egaoは顔を笑顔や無表情に変えます\n"
        "- **写真を送る**：ダイレクトメッセージ、管理者が開いたチャンネル、または私へのメンション付きで送ってください。\n"
        "{commands}\n"
        "- コマンドは最後に使った顔に使います。写真を付けると、その写真から始めます。\n"
        "- 写真のあるメッセージで **アプリ > {menu}** を選べば、スマートフォンでも使えます。\n"
        "- 画像の下のボタンは、依頼した人だけが、顔のデータがある間使えます。\n"
        "- **`/faces`** は保存中の顔、**`/queue`** は順番待ち、**`/privacy`** はデータの扱いを表示します。"
        "**`/forget`** で消去、**`/export`** で写しの受け取りができます。\n"
        "ここで使える強さは{low}から{high}まで、顔の保存期間は{retention}時間です。"
        "コマンドの結果を誰に見せるかは **`/visibility`** で選べます。"
    ),
    "help.expression": "- **`/{name}`**：{change}。{strength}。",
    "help.shared": "- **`/neutral`**：{remove}。**`/animate`**：{sweep}。",
    "welcome": (
        "### egaoが{server}に参加しました\n"
        "写真の顔を笑顔にしたり、笑顔を消したりします。サーバーを管理する方は、`/egao settings`で次の3つを設定できます。\n"
        "1. **チャンネル：** 写真に自動で返信するチャンネルです。まだどこも開いていません。私へのメンション、`/{command}`、"
        "「アプリ > {menu}」はどこでも使えます。\n"
        "2. **使える人と写真：** 設定を変えるまでは、全員が自分の写真だけに使えます。\n"
        "3. **報告：** 画像の報告を送るチャンネルです。設定するまでは`/egao status`に表示されます。\n"
        "-# 使い方は`/help`、保存する内容と期間は`/privacy`で分かります。"
    ),
    "help.admin": "-# あなたはこのサーバーの管理者です：`/egao settings`でチャンネルを開き、上限を決めます。`/egao status`でegaoの状態が分かります。",
    "admin.settings.title": "### このサーバーでのegao",
    "admin.settings.saved": "保存しました。",
    "admin.channels": "写真に自動で返信するチャンネル",
    "admin.channels.pick": "写真に自動で返信するチャンネルを選ぶ",
    "admin.roles": "egaoを使えるロール",
    "admin.roles.pick": "egaoを使えるロールを選ぶ（なし：全員）",
    "admin.everyone": "全員",
    "admin.auto": "自動返信",
    "admin.whose": "使える写真",
    "admin.whose.own": "自分の写真だけ",
    "admin.whose.consented": "同意した人の写真",
    "admin.whose.any": "すべての写真",
    "admin.refused": "18歳未満の可能性がある顔があるとき",
    "admin.refused.photo": "写真全体を処理しない",
    "admin.refused.face": "その顔だけを処理しない",
    "admin.strength": "強さの上限",
    "admin.cooldown": "編集の間隔（秒）",
    "admin.quota": "1人1日の編集回数",
    "admin.work": "1人が10分間に使える処理時間（秒）",
    "admin.share": "サーバー全体で同時に待てる依頼数",
    "admin.wait": "受け付ける最長の待ち時間（秒）",
    "admin.retention": "顔の保存期間（時間）",
    "admin.spoiler": "画像をネタバレ表示にする",
    "admin.report": "画像の報告を送るチャンネル",
    "admin.report.pick": "画像の報告を送るチャンネルを選ぶ",
    "admin.language": "言語",
    "admin.language.auto": "メンバーごと",
    "admin.language.en": "English",
    "admin.language.ja": "日本語",
    "admin.content.off": "メッセージ内容の権限なしで動いているため、チャンネルの写真はメンション付きのときだけ見えます。",
    "admin.button.refused": "確認を通らない顔：{state}",
    "admin.button.limits": "上限…",
    "admin.button.queue": "順番待ちと保存期間…",
    "admin.button.auto": "自動返信：{state}",
    "admin.button.spoiler": "ネタバレ表示：{state}",
    "admin.limits.title": "上限",
    "admin.queue.title": "順番待ちと保存期間",
    "admin.range": "{low}から{high}まで",
    "admin.status": (
        "### egaoの状態\n"
        "- 順番待ち：{waiting}件、処理中：{running}件、ワーカー：{worker}\n"
        "- このサーバーの今日：完了{done}件、失敗{failed}件\n"
        "- 起動から{uptime}：完了{total}件、失敗{total_failed}件、1件あたり約{pace}\n"
        "- 保存中：{members}人の顔{faces}件\n"
        "- ブロック中のメンバー：{blocked}人 · 報告：{reports}件\n"
        "- ディスクの空き：{disk}\n"
        "- メッセージ内容の権限：{content}"
    ),
    "admin.status.reports": "**最近の報告**",
    "admin.worker.up": "準備完了",
    "admin.worker.down": "再起動中",
    "admin.blocked": "{member}はこのサーバーでegaoを使えなくなりました。ここに保存していたデータは消去しました。",
    "admin.unblocked": "{member}はまたegaoを使えます。",
    "admin.unblocked.not": "{member}はブロックされていません。",
    "admin.purge.ask": "### このサーバーのデータをすべて消去しますか？\nこのサーバーの顔のデータ（{faces}件）をすべて消去します。元に戻せません。",
    "admin.purge.ask.member": "### ここにある{member}のデータを消去しますか？\n元に戻せません。",
    "admin.purge.confirm": "消去する",
    "admin.purge.kept": "何も消去していません。",
    "admin.purge.done": "顔のデータ{faces}件を消去しました。",
    "trouble.unexpected": "egaoの内部で問題が起きました。写真のせいではありません。もう一度試してください。（番号：{reference}）",
    "trouble.operator": "egao側の問題で、いまは処理できません。原因はBotの運営者がログで確認できます。（番号：{reference}）",
    "trouble.old": "このボタンは、もう使えない古いメッセージのものです。",
    "trouble.place": "このチャンネルには画像を投稿できません。ファイルを添付する権限を管理者に頼んでください。",
    "trouble.finished": "{member}さん、画像ができましたが、あなたにだけ見える返信の期限が切れました。`/{command}`を実行すると見られます。",
}

# Keyed by EgaoError.code, with the placeholders of its English sentence.
ERRORS: Final[dict[str, str]] = {
    "EgaoError": "egaoの内部で問題が起きました。もう一度試してください。続くようなら、何をしたかを添えて報告してください。",
    "InternalError": "egaoの内部で問題が起きました。もう一度試してください。続くようなら、何をしたかを添えて報告してください。",
    "PhotoError": "この写真は、このままでは使えません。別の写真で試してください。",
    "UnreadablePhoto": "このファイルは写真として読み込めません（{reason}）。JPEG、PNG、WebP、GIF、AVIF、HEICの画像を送ってください。",
    "PhotoTooLarge": "写真が大きすぎます（{size}、上限は{limit}）。小さくしてから送ってください。",
    "WouldOverwrite": "{file}はすでにあるので、そのままにしました。-oで別のフォルダーを選ぶか、--forceで上書きしてください。",
    "NoFace": "この写真には顔が見つかりませんでした。目・鼻・口が隠れておらず、正面から撮られている必要があります。",
    "FaceTooSmall": "顔が小さすぎます（幅{pixels}ピクセル、{limit}ピクセル以上必要です）。もっと近くで撮った写真を送ってください。",
    "FaceTurnedAway": "顔の向きが横すぎます（{degrees}度、上限は{limit}度）。正面から撮った写真を送ってください。",
    "MouthHidden": "口の前に何かがあり、その後ろの口がどう動くかは分かりません。口全体が見える写真を送ってください。",
    "MouthCut": "写真が口の途中で切れています。口全体が写った写真を送ってください。",
    "MouthAtEdge": "顔の向きが横すぎて口が顔の端にあるため、編集すると崩れます。向きが25度くらいまでの写真を送ってください。",
    "NoSuchFace": "{face}番の顔はありません。この写真には{count}人分の顔があり、番号は左からです。別の番号を選んでください。",
    "NoPhoto": "そのメッセージには写真がありません。JPEG、PNG、WebP、GIF、AVIF、HEICの画像を付けてください。",
    "PhotoGone": "メッセージの削除か期限切れで、写真を読み込めなくなりました。もう一度送ってください。",
    "PhotoUnreachable": "写真を取得できませんでした（{reason}）。少し待ってからもう一度試してください。",
    "WebhookPhoto": (
        "この写真はPluralKitのようなWebhookが投稿したもので、誰のための投稿かをDiscordは教えてくれません。"
        "コマンドに写真を付けるか、egaoへのダイレクトメッセージで送ってください。"
    ),
    "ForwardedPhoto": (
        "この写真はegaoから見えない場所から転送されたもので、誰の写真か分かりません。"
        "自分の写真なら、写真そのものを送るか、コマンドに付けてください。"
    ),
    "ExplicitPhoto": "この画像は露骨な内容として扱われているため、egaoでは処理しません。別の写真を送ってください。",
    "PhotoRefused": "egaoはこの写真を処理しません。何も保存していません。別の写真を送ってください。",
    "PhotoStoppedWorker": "この写真は少し前に画像処理を止めてしまったため、{minutes}分間は処理しません。別の写真か、小さくした写真を送ってください。",
    "LooksExplicit": "自動判定では、この写真が露骨な内容でないと確信できなかったため、処理しませんでした。この判定はよく間違えます。何も保存していません。別の写真を送ってください。",
    "FaceBarred": "egaoはこの写真の{face}番の顔を扱いません。その顔からは何も保存していません。別の番号を選んでください。",
    "LooksYoung": "egaoは大人の顔だけを扱います。自動推定では、この写真の全員が{age}歳以上であると確信できなかったため、処理しませんでした。この推定はよく間違えます。何も保存していません。別の写真を送ってください。",
    "WeightsError": "モデルのファイルに問題があります。Botの運営者に伝えてください。",
    "WeightsMissing": "{name}の重みがこのマシンにありません。次を実行してください：egao models pull",
    "WeightsOffline": "{package}をダウンロードできませんでした（{reason}）。ネットワークとパッケージの取得先を確かめてから、次を実行してください：egao models pull",
    "WeightsCorrupt": "{name}のファイルが正しくありません（ハッシュ{found}、正しくは{expected}）。次を実行してください：egao models pull --force",
    "WeightsUnfit": "{name}は別の生成モデル用です（{found}、このモデルは{expected}）。このモデル用に作り直してください。",
    "NoSuchGenerator": "{name}という生成モデルはありません。使えるもの：{known}。追加するには：egao models import FILE",
    "ModelRefused": "このファイルは取り込めません（{reason}）。読んだだけで、何も実行していません。",
    "GeneratorLacks": "生成モデル{name}には、これに必要なもの（{what}）がありません。別の方法か生成モデルを選んでください。",
    "PartMissing": "生成モデル{name}には、まだ{part}がありません。作るには：{command}",
    "NotCompiled": "生成モデルをコンパイルできませんでした（{reason}）。画像はこれまでどおり描かれます。",
    "ModelUnreadable": "{name}は使えません（{reason}）。読み取っただけで、中のコードは実行していません。もう一度取得するか、作り直してください。",
    "DiskFull": "{path}に空きがありません（{need}必要です）。空きを作るか、EGAO_CACHEで別のディスクを指定してください。",
    "LatentError": "保存された顔か方向のデータを使えません。写真をもう一度送ってください。",
    "LatentUnreadable": "{file}は潜在ベクトルのファイルではありません（{reason}）。形[1, num_ws, 512]の配列wを持つ.npzが必要です。",
    "LatentOfAnotherModel": "この潜在ベクトルのスタイル数は{found}ですが、生成モデルは{expected}を使います。写真をもう一度処理してください。",
    "ResultError": "できた画像がよくなかったため、送りませんでした。別の写真で試してください。",
    "NotWhole": "強さ{strength}では口がきれいに仕上がらなかったため、画像はありません。0に近い強さか、正面を向いた写真で試してください。",
    "NotReached": "強さ{strength}でもこの顔はほとんど変わらなかったため、画像はありません。もっと強くするか、口がよく見える写真で試してください。",
    "FaceLost": "強さ{strength}では顔として描けなくなります。0に近い値にしてください。",
    "NoSuchExpression": "{name}という表情はありません。使えるのは{known}です。",
    "NoSuchDirection": "{name}という方向はありません。使えるのは{known}です。",
    "NoSuchStoredFace": "保存された顔{face}はありません。写真をもう一度送るか、保存中の顔を確かめてください：egao faces list",
    "NothingStored": "ここにはまだあなたの顔のデータがありません。コマンドに写真を付けるか、写真を送ってください。",
    "SettingsError": "設定を使えません。",
    "BadSetting": "設定{name}は使えません（{reason}）。.envか環境変数を直してください。",
    "BadServerSetting": "{name}に{value}は使えません（{reason}）。",
    "ExtraMissing": "この測定には{module}が必要ですが、インストールされていません。pip install egao[eval] を実行してください。",
    "ClusterExtraMissing": "クラスターにはRayが必要ですが、インストールされていません。pip install egao[cluster] を実行してください。",
    "ClusterUnreachable": (
        "{address}でクラスターのヘッドが応答しません。そこで egao worker --head を起動し、両方のマシンのcluster.keyが同じことと、"
        "間にファイアウォールがないことを確かめてください。"
    ),
    "NodeRefused": "このマシンは{address}のクラスターで働けません（{reason}）。",
    "BadSeeds": "このシードは使えません：{reason}",
    "StoreError": "保存データに問題があります。Botの運営者に伝えてください。",
    "StoreBusy": "{path}の保存データをほかのプロセスが使っています。少し待ってからもう一度試し、続くようならそのプロセスを終了してください。",
    "StoreUnwritable": "{path}の保存データに書き込めません（{reason}）。空きを作るか、EGAO_HOMEで別のディスクを指定してください。",
    "StoreDamaged": "{path}の保存データが壊れています（{reason}）。バックアップを戻してください：egao db restore FILE",
    "StoreNewer": "{path}の保存データは、より新しいegaoで書かれています（{found}）。egaoを更新するか、古いバックアップを戻してください。",
    "StoreInUse": "egaoが{path}で動いています。先に終了してから、もう一度試してください。",
    "BackupUnfit": "バックアップ{path}は使えません（{reason}）。別のファイルを選んでください。",
    "WrongKey": "{path}の保存データは、{source}とは別の鍵で暗号化されています。元の鍵を戻してください。鍵がなければ保存したものは読めません。",
    "KeyExposed": "鍵ファイル{path}を、このマシンのほかの利用者が読めます。次を実行してください：chmod 600 {path}",
    "JobError": "処理できませんでした。写真のせいではありません。もう一度試してください。",
    "QueueFull": "いま順番待ちがいっぱいです。約{wait}後にもう一度試してください。",
    "OwnShareFull": "あなたの順番待ちが、1人分の上限に達しています。約{wait}後にもう一度試してください。",
    "ServerShareFull": "このサーバーの順番待ちが上限に達しています。約{wait}後にもう一度試してください。",
    "WaitTooLong": "順番が来るまでに時間がかかりすぎます。約{wait}後にもう一度試してください。",
    "JobCancelled": "処理を中止しました。何も保存していません。",
    "JobTimedOut": "{wait}を超えたため中止しました。もう一度試してください。",
    "WorkerDied": "画像の処理が途中で止まりました。いま起動し直しているので、もう一度試してください。",
    "ShuttingDown": "egaoは再起動中です。1分後にもう一度試してください。",
    "StillBusy": "少しお待ちください。この画像の前の変更をまだ描いています。",
    "AccessError": "いまはその操作ができません。",
    "ConsentNeeded": "最初の写真の前に、同意が必要です。説明を読んでボタンを押してください。",
    "Blocked": "このサーバーではegaoを使えません。間違いだと思うときは、管理者に問い合わせてください。",
    "QuotaSpent": "今日の編集回数（{limit}回）を使い切りました。次に使えるのは{wait}後です。",
    "CoolingDown": "少しお待ちください。次の編集は{wait}後にできます。",
    "QuotaTooSmall": "それには編集{count}回分が必要ですが、今日の残りは{limit}回中{left}回です。顔を一つ選んでください。",
    "WorkSpent": "この{minutes}分間に、1人が使える画像処理の時間（{limit}秒）を使い切りました。約{wait}後にもう一度試してください。",
    "ServerWorkSpent": "この{minutes}分間に、1つのサーバーが使える画像処理の時間（{limit}秒）を使い切りました。約{wait}後にもう一度試してください。",
    "ExportedLately": "少し前に写しをお渡ししたばかりです。次は約{wait}後に受け取れます。",
    "NotYours": "この操作ができるのは、この画像を依頼した人だけです。",
    "StrengthOverLimit": "このサーバーで使える強さは{low}から{high}までです。",
    "OwnPicture": "それはegaoが作った画像です。画像の下のボタンを使うか、元の写真のメッセージを選んでください。",
    "FaceRefused": "この顔を保存した後に写真の確認方法が変わり、今の確認を通らないため使えません。期限が来れば消去されます。別の写真を送ってください。",
    "NotYourPhoto": "このサーバーでは、自分で投稿した写真だけを使えます。",
    "PhotoOwnerUnasked": "この写真を投稿した人がegaoに同意していないため、ここでは使えません。",
    "RoleNeeded": "このサーバーでは、決められたロールを持つメンバーだけがegaoを使えます。管理者に問い合わせてください。",
    "AdminsOnly": "サーバーを管理できるメンバーだけが使えます。",
    "ServerOnly": "ダイレクトメッセージでは使えません。サーバーの中で使ってください。",
}
