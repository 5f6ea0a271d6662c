"""Stop words, particles and question words of English, Japanese, Chinese and Korean."""

from __future__ import annotations

import re

_ENGLISH_LINES = """
a about am an and any are as at be been being but by can could did do does doing for from had has have having he her
here him his how i if in into is it its many me much must my no not of on or our please she should so some than that the
their them then there these they this those to was we were what when where which who whom whose why will with would you
your ll re s t ve
"""
ENGLISH_STOPWORDS = frozenset(_ENGLISH_LINES.split())

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
