"""Stop words, particles and question words of the languages in `indexer.text.language`, without accents."""

from __future__ import annotations

import re

from indexer.text.accents import unaccented

_ENGLISH_LINES = """
a about am an and any are as at be been being but by can could did do does doing for from had has have having he her
here him his how i if in into is it its many me much must my no not of on or our please she should so some than that the
their them then there these they this those to was we were what when where which who whom whose why will with would you
your ll re s t ve
"""
ENGLISH_STOPWORDS = frozenset(_ENGLISH_LINES.split())

_GERMAN_LINES = """
ab aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bin bis bist da dabei dadurch
dafur dagegen daher damit danach dann daran darauf daraus darf darin das dass davon dazu dein deine deinem deinen
deiner dem den denn der deren des dessen die dies diese diesem diesen dieser dieses dort du durch ein eine einem einen
einer eines er es etwa etwas euch fur gegen gibt habe haben hat hatte hatten hier ich ihm ihn ihnen ihr ihre ihrem
ihren ihrer im in ins ist jede jedem jeden jeder jedes kann kein keine keinen keiner konnen konnte lautet man mehr
mein meine mit muss mussen nach nicht noch nur ob oder ohne sehr sein seine seinem seinen seiner sich sie sind so soll
sollen sollte sowie uber um und uns unser unter vom von vor war waren was wann warum weil welche welchem welchen
welcher welches wem wen wenn wer werden weshalb wessen wie wieso wieviel viel viele wird wo wobei woher wohin womit
wodurch woran worauf woraus worin wovon wozu wofur wurde wurden zu zum zur zwischen bitte heisst
"""
_FRENCH_LINES = """
a afin ai aient ainsi alors apres au aucun aucune auquel aussi aux avant avec avez avoir avons c ce ceci cela celle
celles celui ces cet cette ceux chaque ci comme comment combien d dans de depuis des doit doivent donc dont du elle
elles en entre es est et etait etaient etant ete etre eu eux faire fait faut il ils j je jusqu l la laquelle le lequel
les lesquelles lesquels leur leurs lors lui m ma mais me meme mes moi mon n ne ni nos notre nous on ont ou par parmi
pas pendant peut peuvent plus pour pourquoi pouvez puis qu quand que quel quelle quelles quels qui quoi s sa sans se
selon sera ses si son sont sous sur t ta tant te tel telle tes toi ton tous tout toute toutes tu un une va vers vos
votre vous y svp
"""
_SPANISH_LINES = """
a al algo alguna algunas alguno algunos ante antes aquel aquella asi aun aunque cada como con contra cual cuales
cualquier cuando cuanta cuantas cuanto cuantos cuya cuyo de debe deben del desde donde dos durante e el ella ellas
ellos en entre era eran es esa esas ese eso esos esta estan estas este esto estos fue fueron ha haber habia hace hacer
hacia han hasta hay la las le les lo los mas me mi mientras mis mucho muy nada ni no nos o para pero por porque puede
pueden que quien quienes se sea segun ser si sido sin sobre son su sus tambien tan tanto te tiene tienen tu un una
unas uno unos usted ustedes y ya yo
"""
_RUSSIAN_LINES = """
а без более бы был была были было быть в вам вас весь во вот все всего всех вы где да даже для до другие его ее если
есть еще же за и из или им их к как какая какие каким каких какого какое какой какому какую когда кого ком кому
которая которого которое которой котором которые который которых кто куда ли либо между меня мне может можно мой мы на
над надо нам нас не него нее нет ни них но ну о об однако он она они оно от откуда отчего очень по под после почему
при про с сам свое свои своей свой себя сколько со так такая также такие такой там те тем то тоже того той только том
тот ту тут у уже чего чей чем что чтобы эта эти этих это этого этой этом этот эту зачем нужно нельзя
"""
QUERY_STOPWORDS = {
    language: frozenset(unaccented(lines).split())
    for language, lines in {
        "de": _GERMAN_LINES,
        "fr": _FRENCH_LINES,
        "es": _SPANISH_LINES,
        "ru": _RUSSIAN_LINES,
    }.items()
}
"""Source: articles, pronouns, prepositions, conjunctions, auxiliary verbs and question words of each language; they
leave queries in that language alone, since many are words of others (`die`, `man`)."""

JAPANESE_STOPWORD_PATTERN = (
    "でしょうか|ください|どのように|どうやって|について|ありますか|ですか|ますか|ました|ません|という|とは|いつ|どこ|だれ"
    "|なに|なぜ|どの|どれ|どう|いくら|いくつ|です|ます|する|した|して|いる|ある|から|まで|より|この|その|あの"
    "|の|は|が|を|に|へ|と|で|も|か|や"
)

CHINESE_STOPWORD_PATTERN = re.compile(
    "什么时候|什麼時候|为什么|為什麼|怎么样|什么|什麼|怎么|怎麼|如何|哪里|哪裡|哪个|多少|多久|何时|何時|请问|請問"
    "|是否|吗|嗎|呢|谁|誰|何|(?<=[^ ]{2})[的是](?=[^ ]{2})"
)

_KOREAN_LINES = """
무엇 무엇인가요 무엇입니까 언제 언제인가요 언제입니까 어디 어디에 누구 누가 어떻게 왜 몇 며칠 얼마 얼마나 어느 어떤 무슨
뭐 있나요 있습니까 있는 하나요 합니까 되나요 됩니까 인가요 입니까 그리고 대한 대해 및 것
"""
KOREAN_STOPWORDS = frozenset(_KOREAN_LINES.split())

KOREAN_PARTICLE_PATTERN = re.compile(
    "(?:(?<=.)(?:으로부터|에게서|에서는|이라는|입니까|인가요|입니다|합니까|하나요|되나요|됩니까|했나요|에서|에게|에는|에도"
    "|으로|부터|까지|처럼|보다|마다|하고)|(?<=..)(?:은|는|이|가|을|를|에|의|와|과|도|로|만))$"
)
