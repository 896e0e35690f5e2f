"""What the slots of our own phrases are filled with when the classifier of tasks is fitted."""

from pathlib import Path

import classifier_data as data
from classifier_data import Source

_FOUNDRY = "mosaicml/llm-foundry"
_T0 = "yizhongw/self-instruct"
_P3 = "data/finetuning/t0_train_50k/data_per_template/{}.jsonl"
_BOOLQ = "scripts/eval/local_data/reading_comprehension/boolq.jsonl"
_NEWS = _P3.format("cnn_dailymail_3_0_0_news_summary")
_ARTICLES = _P3.format("xsum_DOC_write_summary_of_above")
_PACK = "evaluation/create/humaneval-x/data/*/data/humanevalpack.jsonl"
_LITE = "classification/swebench_lite_classifications.csv"
_TOPICS = (
    "solar power|a mobile app for gardeners|the French Revolution|remote work|a bakery|machine learning|"
    "electric cars|the new office|inflation|a database migration|social media|a charity run|photosynthesis|"
    "coffee|the stock market|a wedding|climate change|our onboarding|the Roman Empire|a chess club|jazz|"
    "user accounts|invoices|black holes|universal basic income|nuclear energy|a podcast|vitamin D|"
    "a library system|online shopping|public transport|renting a house|blockchain|the moon|football|"
    "a loyalty programme|dinosaurs|free trade|learning Spanish"
)
_FILLINGS = (
    ("text", _FOUNDRY, "boolq", data.pieces(_BOOLQ, "query", r"Passage: (.+?)\nQuestion")),
    (
        "text",
        _T0,
        "xsum",
        data.pieces(_ARTICLES, "prompt", r"(.+?)\n\n==="),
    ),
    ("text", _T0, "cnn_dailymail", data.pieces(_NEWS, "prompt", r"\n(.{200,})")),
    ("code", "bigcode-project/octopack", "humaneval", data.lines(_PACK, "{declaration}{canonical_solution}")),
    ("code", "jkoppel/QuixBugs", "quixbugs", data.files("correct_python_programs/*.py", "{}")),
    ("diff", "OpenAutoCoder/Agentless", "swe-bench", data.table(_LITE, "patch")),
    ("talk", "alexa/Topical-Chat", "topical-chat", data.talks),
    ("foreign", "google-research/FLAN", "niv2 translation", data.foreign),
    ("fault", "OpenAutoCoder/Agentless", "swe-bench", data.table(_LITE, "problem_statement")),
)


def fillings(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """For each slot, (family, text) pairs from public sets; topics are our own."""
    found: dict[str, list[tuple[str, str]]] = {"topic": [("", topic) for topic in _TOPICS.split("|")]}
    for slot, repository, family, read in _FILLINGS:
        source = Source(slot, family, slot, repository, "", read)
        found.setdefault(slot, []).extend((family, text[:1_800]) for text in source.prompts(folder))
    return found
