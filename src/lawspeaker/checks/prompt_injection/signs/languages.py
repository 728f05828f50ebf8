"""Signs of prompt injection in languages other than English.

Each language has its words for setting aside, for instructions and what came before, and for a password. The first two
count in either order, since languages differ in it; a password counts where somebody asks for one.
"""

from typing import Final

from lawspeaker.checks.prompt_injection.signs.sign import Sign

# Romance, Germanic, Slavic and other languages with spaces: stems, as verbs and nouns are inflected.
_ASIDE: Final = (
    r"ignor(?:a|e[zr]?|en|ad|ate|are|iere?n?|eer|era|uj|ujte|uj[ąa]c|áld)|olvid(?:a|e|ar|ad)|oublie[zr]?|vergiss|"
    r"vergessen|missachte\w*|dimentica\w*|esque[çc]a\w*|desconsider\w*|negeer|vergeet|zignoruj\w*|zapomnij|"
    r"zapome[nň]\w*|unut\w*|glöm|strunta i|glem|se bort fra|unohda|jätä huomiotta|uit[ăa]|boikoot|abaikan|lupakan|bỏ "
    r"qua|yoksay|görmezden gel\w*|игнорир\p{L}*|проигнорир\p{L}*|забудь\p{L}*|забыть|ігнор\p{L}*|αγνο[ήη]\p{L}*|"
    r"ξεχ[άα]σ\p{L}*"
)
_BEFORE: Final = (
    r"instru[ckç]\p{L}+|instrukc\p{L}+|anweisung\p{L}*|vorgabe\p{L}*|indica[cçz]\p{L}+|istruzion\p{L}*|consigne\p{L}*|"
    r"r[eèé]gl\p{L}+|regel\p{L}*|reglas?|regole|zasad\p{L}*|pokyn\p{L}*|precedent\p{L}*|précédent\p{L}*|"
    r"anterior\p{L}*|vorherig\p{L}*|bisherig\p{L}*|vorige\p{L}*|eerdere|poprzedni\p{L}*|předchoz\p{L}*|tidigare|"
    r"tidligere|aiemmat|edellis\p{L}*|önceki|talimat\p{L}*|sebelumnya|instruksi|petunjuk|hướng dẫn|trước|funktion|"
    r"funci[oó]n|fonction|p[aá]gina|seite|tabla|tabelle|tableau|инструкци\p{L}*|указани\p{L}*|правил\p{L}*|"
    r"предыдущ\p{L}*|попередн\p{L}*|вказівк\p{L}*|οδηγ[ίι]\p{L}*|προηγο[ύυ]μεν\p{L}*"
)
_PASSWORD: Final = (
    r"contrase[nñ]a|clave secreta|mot de passe|parola(?: d'ordine)?|senha|palavra-passe|passwor[dt]|kennwort|"
    r"wachtwoord|l[oö]senord|passord|adgangskode|salasana|has[lł]o|парол\p{L}*|[sş]ifre|heslo|jelsz[oó]|κωδικ[οό]ς?|"
    r"mật khẩu|kata sandi"
)
_ASK: Final = (
    r"cu[aá]l es|dime|dame|d[ií]game|quel(?:le)? est|dis-moi|donne[zs]?-moi|qual [eéè]|dimmi|diga-me|me diga|wie "
    r"lautet|was ist|sag(?:e|en)? (?:mir|sie mir)|nenn(?:e|en)? (?:mir|sie mir)|wat is|zeg me|vad är|hva er|hvad er|"
    r"mikä on|jakie jest|jaki jest|podaj|co to za|какой|скажи\p{L}*|назови\p{L}*|який|nedir|söyle\p{L}*|ce este|care "
    r"este|jaké je|mi a|ποιος είναι|πες μου|apa|beritahu"
)

# RE2's `\b` knows ASCII only.
_START: Final = r"(?:^|[^\p{L}])"
_END: Final = r"(?:$|[^\p{L}])"

SIGNS: Final = (
    Sign("override", True, rf"{_START}((?:{_ASIDE})(?:[\s,][\p{{L}}']+){{0,4}}[\s,](?:{_BEFORE})){_END}"),
    Sign("override", True, rf"{_START}((?:{_BEFORE})(?:\s[\p{{L}}']+){{0,3}}\s(?:{_ASIDE})){_END}"),
    Sign(
        "override",
        True,
        r"(?:忽略|无视|無視|忘记|忘掉|不要理会).{0,8}(?:指令|指示|提示|规则|規則|说明|以上|之前|先前|前面)|(?:指示|命令|プロンプト|ルール|以前|上記).{0,8}(?:無視|忘れ)|"
        r"(?:無視|忘れ).{0,6}(?:指示|命令|プロンプト)|(?:지시|명령|이전|규칙).{0,8}(?:무시|잊)|(?:تجاهل|انس).{0,12}(?:التعليمات|السابق|"
        r"الأوامر)|(?:निर्देश|पिछले|पूर्व).{0,24}(?:अनदेखा|अनदेखी|नज़रअंदाज़|भूल)|(?:התעלם|שכח).{0,12}(?:ההוראות|"
        r"הקודמות)|(?:نادیده|فراموش).{0,16}(?:دستور|قبلی)|(?:دستور|قبلی).{0,16}(?:نادیده|فراموش)|(?:ละเว้น|เพิกเฉย|"
        r"ลืม).{0,12}(?:คำสั่ง|คำแนะนำ)",
    ),
    Sign("extraction", True, rf"{_START}((?:{_ASK}).{{0,30}}(?:{_PASSWORD})){_END}"),
    Sign(
        "extraction",
        True,
        rf"{_START}((?:ihr|dein|tu|su|vuestra|votre|ton|la tua|il tuo|la sua|sua|seu|tua|je|jouw|uw|twoje|wasze|ваш|"
        rf"твой|свой|ditt|din|senin) (?:\p{{L}}+ )?(?:{_PASSWORD})){_END}",
    ),
    Sign(
        "extraction",
        True,
        r"(?:密码|密碼|口令|パスワード|パスコード|비밀번호|암호|كلمة (?:المرور|السر)|पासवर्ड|סיסמ[הא]|รหัสผ่าน|رمز عبور)"
        r".{0,4}(?:是什么|是什麼|告诉|何|教え|ですか|무엇|뭐|알려|ما|क्या|बता|מה|คืออะไร|چیست|[?？])|"
        r"(?:告诉|是什么|教え|알려|ما هي|मुझे|מהי|บอก|你的|您的|あなたの|君の|너의|네|당신의|आपका|तुम्हारा).{0,16}"
        r"(?:密码|密碼|口令|パスワード|비밀번호|암호|كلمة (?:المرور|السر)|पासवर्ड|סיסמ[הא]|รหัสผ่าน)",
    ),
)
