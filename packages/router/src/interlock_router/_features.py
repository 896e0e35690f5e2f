"""What the classifier sees of a prompt: words, pairs of words at its ends, and shapes.

Only a bounded head and tail is read, so that time does not grow with a pasted document. Words stand for
themselves; among the first and the last words of the prompt, where people say what they want, each also
stands with its place (`^word`, `word$`) and with its neighbour (`word word`). A shape is a mark that is
there or not (`#code`): code, faults, patches, formulas, choices, dialogue, foreign script, lengths.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

HEAD: Final = 900
TAIL: Final = 400
"""Characters read at either end of a prompt that is longer than both."""
ENDS: Final = 24
"""Words at either end whose neighbours count."""
MIDDLE: Final = 40
"""Words at either end that count by themselves."""
NEAR: Final = 9
"""Words at either end that count with their place."""

_LETTERS: Final = str.maketrans(
    {code: " " for code in range(128) if not chr(code).isalnum() and chr(code) not in "'-"}
    | dict.fromkeys(range(0xA1, 0xC0), " ")
    | dict.fromkeys(range(0x2010, 0x2070), " ")
    | dict.fromkeys(range(0x3000, 0x3020), " ")
    | dict.fromkeys((0xFF0C, 0xFF1A, 0xFF1F), " ")
    | dict.fromkeys(range(0x30, 0x3A), "0")
    | {0x2019: "'"}
)
_SCRIPT: Final = re.compile(
    r"[\u0370-\u03ff\u0400-\u04ff\u0590-\u06ff\u0900-\u097f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]{2}"
)
_NUMBER: Final = re.compile(r"\d[\d.,]*")
_FORMULA: Final = re.compile(r"\d(?: +[-+*/\xd7\xb7\xf7] +[\d(]|[*\xd7\xf7^+]\d|[a-z] [-+] \d|!)")
_SPEAKER: Final = re.compile(r"\n[#A-Z][\w# ]{0,20}: ")
_CODE_BEGINS: Final = (
    *(
        "    ",
        "  ",
        "\t",
        "def ",
        "class ",
        "return ",
        "import ",
        "from ",
        "func ",
        "fn ",
        "public ",
        "const ",
        "let ",
    ),
    *("#include", "+", "-  ", "@", "//", "/*", " *", "}", "$ ", ">>>", "if (", "for (", "using ", "package "),
)
_CODE_ENDS: Final = (";", "{", "}", "):", "();", "*/", "->", "=", "(", "\\")
_SENTENCE_ENDS: Final = (".", "?", "!", ":")
_LENGTHS: Final = (2, 4, 7, 12, 20, 40, 80, 160)
_COUNTS: Final = (1, 2, 3, 5, 9, 20)

_OPENINGS: Final = (
    *(
        "\ndef ",
        "\nfrom ",
        "\nimport ",
        "\nclass ",
        "\n#include",
        "\nfunction ",
        "\npublic ",
        "\nfn ",
        "\nfunc ",
    ),
    *(
        "\nasync def ",
        "\n@",
        "\nconst ",
        "\n#!/",
        "\n/*",
        "\n//",
        "\npackage ",
        "\nusing ",
        "\nuse ",
        "\n<?php",
    ),
    *("\nobject ", "\nint ", "\nvoid ", "\nbool ", "\nstruct ", "\nexport ", "\nlet ", "\nvar ", "\n--"),
)

_CHARACTERS: Final = {
    "code_generation": ("代码", "函数", "程序", "脚本", "コード", "関数", "함수"),
    "code_review": ("审查", "代码评审", "レビュー"),
    "debugging": ("报错", "调试", "修复", "バグ", "エラー", "오류"),
    "planning": ("计划", "规划", "日程", "計画", "계획"),
    "analysis": ("分析", "比较", "评价", "比較", "분석"),
    "extraction": ("提取", "抽取", "列出", "抽出", "추출"),
    "summarisation": ("总结", "摘要", "概括", "要約", "まとめ", "요약"),
    "translation": ("翻译", "译成", "翻訳", "訳して", "번역"),
    "question_answering": ("什么", "为什么", "哪", "なぜ", "何ですか", "무엇"),
    "mathematics": ("计算", "多少", "求解", "証明", "计算", "いくつ", "계산"),
    "writing": ("写", "撰写", "文案", "小说", "字数", "書いて", "작성"),
    "conversation": ("你好", "谢谢", "こんにちは", "ありがとう", "안녕"),
}

_MARKS: Final = {
    "code": ("```", "():", "();", ") {", "){", "=> ", "->", "::", "self.", "#include", "&&", "</", "()"),
    "line of code": (
        "\ndef ",
        "\nfunc ",
        "\nfn ",
        "\nclass ",
        "\npublic ",
        "\nconst ",
        "\nimport ",
        "\nfrom ",
    ),
    "assignment": (" = ", ":= ", "+= ", "== "),
    "doc": ('"""', "/**", "///", "'''", ">>> "),
    "patch": ("\n@@ ", "```diff", "\ndiff --git", "\n+++ ", "\n- return", "\n+    ", "\n-    "),
    "fault": ("Traceback (", "Error:", "Exception:", "error[E", "error: ", "exit code ", "(core dumped"),
    "trace": ('File "', "\n    at ", "panic:", "ERR!"),
    "issue": ("\nSteps to", "\nExpected", "\nActual", "### ", "Description\n", "\nVersion", "**To Reproduce"),
    "formula": ("^", "= ?", "\\frac", "\\sqrt", "f(x)", "[[", "$x", "\\boxed", "\\("),
    "dollars": ("$",),
    "per cent": ("%",),
    "choice": ("\nB. ", "\nB) ", "(B) ", " B) ", "\nb)", "b ) ", "\n2) ", "(2) ", "\nB: "),
    "options": ("ptions:", "hoices:"),
    "answer": ("nswer:", "\nA:", "\nAnswer"),
    "context": ("ontext:", "assage:", "aragraph:", "ackground:"),
    "blank": ("___", " _ "),
    "emote": (":)", ":-)", ";)", ":D", ":(", "!!", "<3", ";-)"),
    "object": ('{"', '": ', "{\n"),
    "table": ("\n| ", "|---", "\t"),
    "list": ("\n- ", "\n* ", "\n1. "),
    "heading": ("\n# ", "\n## "),
    "quote": ('"',),
    "colon line": (":\n",),
    "asked": ("?",),
    "several asked": ("?\n",),
    "paragraphs": ("\n\n",),
}
_RARE: Final = "`()[]{}$%^\\|_<>=+@#&/*;:!?\"'\t.-\n "


def _by_character() -> dict[str, tuple[tuple[str, str], ...]]:
    """The marks under the rarest character that each holds: a text without it is not searched for them."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, marks in _MARKS.items():
        for mark in marks:
            rare = next(character for character in _RARE if character in mark)
            found.setdefault(rare, []).append((mark, "#" + name))
    return {character: tuple(marks) for character, marks in found.items()}


_LOOK: Final = _by_character()
_DIGITS: Final = frozenset("0123456789")


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, every digit a nought."""
    return text.lower().translate(_LETTERS).split()


def features(prompt: str) -> set[str]:
    """What is there in a prompt, each once."""
    text = prompt.strip()
    if len(text) > HEAD + TAIL:
        text = f"{text[:HEAD]}\n{text[-TAIL:]}"
    words = words_of(_prose(text) if "\n" in text else text)
    found = set(words[:MIDDLE])
    found.update(words[-MIDDLE:])
    _ends(found, words)
    _shapes(found, f"\n{text}", words)
    return found


def _prose(text: str) -> str:
    """The lines that are not code: neither set in, nor ended or begun as code is."""
    lines = [
        line for line in text.split("\n") if not (line.startswith(_CODE_BEGINS) or line.endswith(_CODE_ENDS))
    ]
    return "\n".join(lines)


def _ends(found: set[str], words: list[str]) -> None:
    first, last = words[:ENDS], words[-ENDS:]
    found.update(map(" ".join, pairwise(first)))
    if len(words) > ENDS:
        found.update(map(" ".join, pairwise(last)))
    found.update(["^" + word for word in words[:NEAR]])
    found.update([word + "$" for word in words[-NEAR:]])
    if words:
        found.add("^^" + words[0])


def _shapes(found: set[str], text: str, words: list[str]) -> None:
    characters = set(text)
    for character in _LOOK.keys() & characters:
        for mark, name in _LOOK[character]:
            if mark in text:
                found.add(name)
    numbers = 0
    if not _DIGITS.isdisjoint(characters):
        numbers = len(_NUMBER.findall(text))
        if _FORMULA.search(text):
            found.add("#sum")
    count = len(words)
    if not text.isascii() and _SCRIPT.search(text):
        found.add("#script")
        _asked_in_characters(found, text)
        count = max(count, len(text) // 2)
    found.add("#words " + _step(count, _LENGTHS))
    found.add("#numbers " + _step(numbers, _COUNTS))
    found.add("#lines " + _step(text.count("\n") - 1, _COUNTS))
    found.add("#ends " + text[-1:])
    if ":" in characters and _SPEAKER.search(text):
        found.add("#speakers")
    if text.startswith(_OPENINGS):
        last = text.rpartition("\n")[2]
        asks = last[:1].isalpha() and " " in last and last.endswith(_SENTENCE_ENDS)
        found.add("#code then words" if asks else "#opens code")


def _asked_in_characters(found: set[str], text: str) -> None:
    """Scripts without spaces have no words to split at; a few that name tasks are looked for as they are."""
    ends = text[:200] + text[-100:]
    for task, words in _CHARACTERS.items():
        for word in words:
            if word in ends:
                found.add("#asked " + task)
                break


def _step(count: int, steps: Sequence[int]) -> str:
    return str(sum([count >= step for step in steps]))
