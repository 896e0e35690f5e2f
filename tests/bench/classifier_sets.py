"""The public data sets that the classifier of tasks is trained on and judged by."""

import classifier_data as data
from classifier_data import ASK, CODE, DEBUG, EXTRACT, MATHS, PLAN, SUM, TALK, TRANSLATE, WRITE, Source

_T0 = "yizhongw/self-instruct"
_NI = "google-research/FLAN"
_FOUNDRY = "mosaicml/llm-foundry"
_HARNESS = "ZubinGou/math-evaluation-harness"
_FABRIC = "danielmiessler/fabric"
_CHAT = "lm-sys/FastChat"
_WRITTEN = "fastchat/llm_judge/data/mt_bench/question.jsonl"
_VICUNA = "fastchat/llm_judge/data/vicuna_bench/question.jsonl"
_OUTCOMES = "routing/dev"
_PACK = "evaluation/create/humaneval-x/data/*/data/humanevalpack.jsonl"
_LITE = "classification/swebench_lite_classifications.csv"
_BACK = "generate|title|write_text|build_story|topic|classify|Guess|[dD]ecide|verify|is_correct"


def _foundry(
    name: str, family: str, task: str, path: str, form: str = "{said}", *, trained: bool = True
) -> Source:
    licence = "Apache-2.0" if trained else "not stated"
    return Source(name, family, task, _FOUNDRY, licence, data.evaluations(path, form), trained)


_LICENCES = {
    "cnn_dailymail": "Apache-2.0",
    "xsum": "MIT",
    "commonsenseqa": "MIT",
    "common_gen": "MIT",
    "duorc": "MIT",
    "quoref": "CC-BY-4.0",
    "ropes": "CC-BY-4.0",
    "cosmosqa": "CC-BY-4.0",
    "adversarialqa": "CC-BY-SA-3.0",
    "hotpotqa": "CC-BY-SA-4.0",
}
"""What is known of the sets in P3's sample; the others only judge."""


def _t0(name: str, task: str, names: str, besides: str = "$^") -> Source:
    licence = _LICENCES.get(name, "not free")
    read = data.instructed(names, besides)
    return Source(f"{name} (P3)", name, task, _T0, licence, read, name in _LICENCES)


def _ni(category: str, task: str, part: str = "") -> Source:
    name = f"Natural Instructions: {category}"
    return Source(name, f"niv2 {task}", task, _NI, "Apache-2.0", data.natural(category, part))


def _maths(name: str, family: str, licence: str, form: str, *, trained: bool = True) -> Source:
    path = f"data/{name}/test.jsonl"
    return Source(name, family, MATHS, _HARNESS, licence, data.lines(path, form), trained)


_SMALL_TALK = (
    *("greeting", "goodbye", "thank_you", "yes", "no", "maybe", "tell_joke", "fun_fact", "meaning_of_life"),
    *("how_old_are_you", "do_you_have_pets", "are_you_a_bot", "what_are_your_hobbies", "where_are_you_from"),
    *("who_made_you", "what_is_your_name", "what_can_i_ask_you"),
)

CODES = (
    Source(
        "HumanEval",
        "humaneval",
        CODE,
        "openai/human-eval",
        "MIT",
        data.lines("data/HumanEval.jsonl.gz", "{prompt}"),
    ),
    Source(
        "HumanEval-X", "humaneval", CODE, "bigcode-project/octopack", "MIT", data.lines(_PACK, "{prompt}")
    ),
    Source(
        "HumanEvalSynthesize",
        "humaneval",
        CODE,
        "bigcode-project/octopack",
        "MIT",
        data.lines(_PACK, "{instruction}"),
    ),
    Source(
        "MBXP",
        "mbpp",
        CODE,
        "amazon-science/mxeval",
        "Apache-2.0",
        data.lines("data/mbxp/*.jsonl", "{prompt}"),
    ),
    Source("MBPP", "mbpp", CODE, f"{_OUTCOMES}/llmrouter9.jsonl", "CC-BY-4.0", data.outcomes("mbpp")),
    Source(
        "MathQA-X",
        "mathqa-x",
        CODE,
        "amazon-science/mxeval",
        "Apache-2.0",
        data.lines("data/multilingual_mathqa/*.jsonl", "{prompt}"),
    ),
    Source(
        "NL2Bash",
        "nl2bash",
        CODE,
        "TellinaTool/nl2bash",
        "GPL-3.0",
        data.sentences(
            "data/bash/all.nl", "{}", "Write a bash command: {}", "{}\n\nAnswer with one shell command."
        ),
        False,
    ),
    Source(
        "LeetCode tasks of DebugBench",
        "leetcode",
        CODE,
        "thunlp/DebugBench",
        "Apache-2.0",
        data.bugs("{task}"),
    ),
    Source(
        "CONCODE",
        "concode",
        CODE,
        "microsoft/CodeXGLUE",
        "C-UDA",
        data.lines("Text-Code/text-to-code/dataset/concode/test.json", "Write a Java method. {nl}"),
        False,
    ),
    _ni("Text to Code", CODE, "_to_"),
    Source("MT-bench coding", "mt_bench", CODE, _CHAT, "Apache-2.0", data.turns(_WRITTEN, "coding")),
    Source("Vicuna coding", "vicuna", CODE, _CHAT, "Apache-2.0", data.turns(_VICUNA, "coding")),
)

FAULTS = (
    Source(
        "SWE-bench Lite",
        "swe-bench",
        DEBUG,
        "OpenAutoCoder/Agentless",
        "MIT",
        data.table(_LITE, "problem_statement"),
    ),
    Source(
        "SWE-bench Pro",
        "swe-bench-pro",
        DEBUG,
        "zhoutaoz99/SWE-bench-Pro-minimal",
        "not stated",
        data.issues,
        False,
    ),
    Source(
        "DebugBench",
        "leetcode",
        DEBUG,
        "thunlp/DebugBench",
        "Apache-2.0",
        data.bugs("Fix the bug in this solution.\n\n{task}\n\n{code}"),
    ),
    Source(
        "HumanEvalFix",
        "humaneval",
        DEBUG,
        "bigcode-project/octopack",
        "MIT",
        data.lines(_PACK, "{declaration}{buggy_solution}\n{test}\n\nFix bugs in {entry_point}."),
    ),
    Source(
        "QuixBugs",
        "quixbugs",
        DEBUG,
        "jkoppel/QuixBugs",
        "MIT",
        data.files(
            "python_programs/*.py", "Here is a buggy Python program. Provide a corrected version.\n\n{}"
        ),
    ),
)

NUMBERS = (
    Source(
        "GSM8K",
        "gsm8k",
        MATHS,
        "openai/grade-school-math",
        "MIT",
        data.lines("grade_school_math/data/test.jsonl", "{question}"),
    ),
    _foundry("GSM8K, few shots", "gsm8k", MATHS, "symbolic_problem_solving/gsm8k.jsonl", "Q: {said}\nA:"),
    Source(
        "GSM8K boxed",
        "gsm8k",
        MATHS,
        f"{_OUTCOMES}/llmrouter9.jsonl",
        "MIT",
        data.outcomes("agentverse-mgsm"),
    ),
    _maths("gsm_hard", "gsm8k", "MIT", "{input}"),
    _maths("math", "math", "MIT", "{problem}"),
    _foundry(
        "MATH, Problem", "math", MATHS, "symbolic_problem_solving/math.jsonl", "Problem:\n{said}\n\nSolution:"
    ),
    _maths("mawps", "mawps", "MIT", "{input}"),
    _maths("asdiv", "asdiv", "CC-BY-NC-4.0", "{body} {question}", trained=False),
    _maths("svamp", "svamp", "MIT", "{Body} {Question}"),
    _maths("mathqa", "mathqa", "Apache-2.0", "{problem}\n{options}"),
    _foundry("MathQA, choices", "mathqa", MATHS, "symbolic_problem_solving/math_qa.jsonl"),
    _maths("ocw", "ocw", "CC-BY-NC-SA-4.0", "{problem}", trained=False),
    _maths("sat_math", "sat_math", "MIT", "{question}\n{options}"),
    _foundry("AQuA", "aqua", MATHS, "symbolic_problem_solving/aqua.jsonl"),
    _foundry(
        "Simple arithmetic",
        "arithmetic",
        MATHS,
        "symbolic_problem_solving/simple_arithmetic_withspaces.jsonl",
    ),
    Source(
        "BBH arithmetic",
        "bbh arithmetic",
        MATHS,
        "suzgunmirac/BIG-Bench-Hard",
        "MIT",
        data.hard("multistep_arithmetic_two"),
    ),
    _ni("Mathematics", MATHS),
    Source("MT-bench mathematics", "mt_bench", MATHS, _CHAT, "Apache-2.0", data.turns(_WRITTEN, "math")),
    Source("Vicuna mathematics", "vicuna", MATHS, _CHAT, "Apache-2.0", data.turns(_VICUNA, "math")),
)

FACTS = (
    Source("MMLU", "mmlu", ASK, f"{_OUTCOMES}/routellm2.jsonl", "MIT", data.outcomes("mmlu")),
    Source("MMLU, bare", "mmlu", ASK, f"{_OUTCOMES}/llmrouter9.jsonl", "MIT", data.outcomes("mmlu")),
    Source("MMLU, subjects", "mmlu", ASK, f"{_OUTCOMES}/pareto4.jsonl", "MIT", data.outcomes("mmlu")),
    Source(
        "TriviaQA", "triviaqa", ASK, f"{_OUTCOMES}/llmrouter9.jsonl", "Apache-2.0", data.outcomes("trivia_qa")
    ),
    _foundry("TriviaQA, Question", "triviaqa", ASK, "world_knowledge/triviaqa_sm_sub.jsonl"),
    Source(
        "Natural Questions",
        "natural questions",
        ASK,
        f"{_OUTCOMES}/llmrouter9.jsonl",
        "CC-BY-SA-3.0",
        data.outcomes("natural_qa"),
    ),
    Source(
        "ARC, bare",
        "arc",
        ASK,
        f"{_OUTCOMES}/llmrouter9.jsonl",
        "CC-BY-SA-4.0",
        data.outcomes("arc_challenge"),
    ),
    Source(
        "ARC, choices",
        "arc",
        ASK,
        f"{_OUTCOMES}/pareto4.jsonl",
        "CC-BY-SA-4.0",
        data.outcomes("arc_challenge"),
    ),
    Source(
        "CommonsenseQA",
        "commonsenseqa",
        ASK,
        f"{_OUTCOMES}/llmrouter9.jsonl",
        "MIT",
        data.outcomes("commonsense_qa"),
    ),
    _t0("commonsenseqa", ASK, "commonsense_qa", _BACK + "|to_question|question_to"),
    Source(
        "OpenBookQA",
        "openbookqa",
        ASK,
        f"{_OUTCOMES}/pareto4.jsonl",
        "Apache-2.0",
        data.outcomes("openbookqa"),
    ),
    Source(
        "TruthfulQA",
        "truthfulqa",
        ASK,
        f"{_OUTCOMES}/pareto4.jsonl",
        "Apache-2.0",
        data.outcomes("truthful_qa"),
    ),
    _foundry("BoolQ", "boolq", ASK, "reading_comprehension/boolq.jsonl"),
    _foundry("PubMedQA", "pubmedqa", ASK, "reading_comprehension/pubmed_qa_labeled.jsonl"),
    _foundry("LSAT reading", "lsat", ASK, "reading_comprehension/agi_eval_lsat_rc.jsonl", trained=False),
    _foundry("LogiQA", "logiqa", ASK, "symbolic_problem_solving/logi_qa.jsonl", trained=False),
    _foundry("Jeopardy", "jeopardy", ASK, "world_knowledge/jeopardy_small.jsonl", trained=False),
    _foundry("PIQA", "piqa", ASK, "commonsense_reasoning/piqa.jsonl"),
    _foundry("StrategyQA", "strategyqa", ASK, "commonsense_reasoning/bigbench_strategy_qa.jsonl"),
    _t0("adversarialqa", ASK, "adversarial_qa", _BACK),
    _t0("quoref", ASK, "quoref", _BACK),
    _t0("ropes", ASK, "ropes"),
    _t0("sciq", ASK, "sciq"),
    _t0("hotpotqa", ASK, "kilt_tasks_hotpotqa"),
    _t0("duorc", ASK, "duorc", _BACK + "|extract"),
    _t0("cosmosqa", ASK, "cosmos_qa", _BACK),
    _t0("wikiqa", ASK, "wiki_qa_(Direct|exercise)"),
    _ni("Question Answering", ASK),
    Source(
        "CLINC questions",
        "clinc questions",
        ASK,
        "clinc/oos-eval",
        "CC-BY-3.0",
        data.intents("definition", "measurement_conversion", "nutrition_info", "timezone", "distance"),
    ),
    Source(
        "MT-bench humanities", "mt_bench", ASK, _CHAT, "Apache-2.0", data.turns(_WRITTEN, "humanities"), False
    ),
    Source("Vicuna knowledge", "vicuna", ASK, _CHAT, "Apache-2.0", data.turns(_VICUNA, "knowledge")),
)

_LANGUAGES = ("de", "cs", "he", "ja", "ru", "uk", "zh")
TONGUES = (
    _ni("Translation", TRANSLATE),
    Source(
        "WMT MQM, TED",
        "wmt mqm",
        TRANSLATE,
        "google/wmt-mqm-human-evaluation",
        "Apache-2.0",
        data.table(
            "ted/ende/mqm_ted_ende.tsv",
            "source",
            "Translate the following text from English to German.\n\n{}",
        ),
    ),
    Source(
        "WMT23, from English",
        "wmt23",
        TRANSLATE,
        "wmt-conference/wmt23-news-systems",
        "research",
        data.sentences(
            "txt/sources/generaltest2023.en-ja.src.en",
            "English: {}\nJapanese:",
            "Translate to Japanese: {}",
            "Translate this sentence from English to Japanese.\n{}",
            "{}\n\nWhat is this in Japanese?",
        ),
        False,
    ),
    Source(
        "WMT23, from German",
        "wmt23",
        TRANSLATE,
        "wmt-conference/wmt23-news-systems",
        "research",
        data.sentences(
            "txt/sources/generaltest2023.de-en.src.de",
            "German: {}\nEnglish:",
            "Translate into English:\n{}",
            "{}\n\nGive an English translation.",
            "How would you say this in English?\n{}",
        ),
        False,
    ),
    Source(
        "LAFAND",
        "lafand",
        TRANSLATE,
        "masakhane-io/lafand-mt",
        "CC-BY-NC-4.0",
        data.sentences(
            "data/text_files/en-swa/train.en",
            "Translate the following English sentence to Swahili: {}",
            "English: {}\nSwahili:",
            "{}\n\nTranslate to Swahili.",
        ),
        False,
    ),
    Source(
        "CLINC translate",
        "clinc translate",
        TRANSLATE,
        "clinc/oos-eval",
        "CC-BY-3.0",
        data.intents("translate"),
    ),
    _foundry(
        "Made-up languages", "conlang", TRANSLATE, "language_understanding/bigbench_conlang_translation.jsonl"
    ),
)

SHORTER = (
    _t0("cnn_dailymail", SUM, "cnn_dailymail", "generate_story|spice_up"),
    _t0("xsum", SUM, "xsum"),
    _t0("samsum", SUM, "samsum", "Write_a_dialogue"),
    _t0("gigaword", SUM, "gigaword", "reverse"),
    _t0("multi_news", SUM, "multi_news", "expand"),
    Source("QMSum", "qmsum", SUM, "Yale-LILY/QMSum", "MIT", data.meetings),
    Source("SciTLDR", "scitldr", SUM, "allenai/scitldr", "Apache-2.0", data.abstracts),
    Source("SQuALITY", "squality", SUM, "nyu-mll/SQuALITY", "CC-BY-4.0", data.stories),
    Source(
        "DialogSum",
        "dialogsum",
        SUM,
        "cylnlp/dialogsum",
        "CC-BY-NC-SA-4.0",
        data.lines("DialogSum_Data/dialogsum.test.jsonl", "{dialogue}\n\nSummarize the dialogue."),
        False,
    ),
    _ni("Summarization", SUM),
    Source(
        "fabric summarize",
        "fabric",
        SUM,
        _FABRIC,
        "MIT",
        data.patterns("summarize.*|create_(5_sentence|micro)?_?summary"),
    ),
)

PARTS = (
    _ni("Information Extraction", EXTRACT),
    _ni("Named Entity Recognition", EXTRACT),
    _ni("Keyword Tagging", EXTRACT),
    Source(
        "UniversalNER",
        "universal-ner",
        EXTRACT,
        "universal-ner/universal-ner",
        "MIT",
        data.asked_of_text("src/eval/test_data/*.json"),
    ),
    Source("fabric extract", "fabric", EXTRACT, _FABRIC, "MIT", data.patterns("extract_.*")),
    Source(
        "MT-bench extraction", "mt_bench", EXTRACT, _CHAT, "Apache-2.0", data.turns(_WRITTEN, "extraction")
    ),
)

REST = (
    Source("TravelPlanner", "travelplanner", PLAN, "OSU-NLP-Group/TravelPlanner", "MIT", data.travel),
    Source(
        "fabric analyze",
        "fabric",
        "analysis",
        _FABRIC,
        "MIT",
        data.patterns("analyze_.*|compare_and_contrast"),
    ),
    _ni("Story Composition", WRITE),
    _ni("Paraphrasing", WRITE),
    _ni("Poem Generation", WRITE),
    _ni("Grammar Error Correction", WRITE),
    _t0("common_gen", WRITE, "common_gen", "sentence_to|topic"),
    Source(
        "EQ-Bench creative writing",
        "eq-bench",
        WRITE,
        "EQ-bench/creative-writing-bench",
        "not stated",
        data.scenes,
        False,
    ),
    Source(
        "WritingBench",
        "writingbench",
        WRITE,
        "X-PLUG/WritingBench",
        "Apache-2.0",
        data.lines("benchmark_query/requirement/length/length_subset.jsonl", "{query}"),
    ),
    Source("MT-bench writing", "mt_bench", WRITE, _CHAT, "Apache-2.0", data.turns(_WRITTEN, "writing")),
    Source("Vicuna writing", "vicuna", WRITE, _CHAT, "Apache-2.0", data.turns(_VICUNA, "writing")),
    Source("Topical-Chat", "topical-chat", TALK, "alexa/Topical-Chat", "CDLA-Sharing-1.0", data.chat),
    Source(
        "CLINC small talk",
        "clinc talk",
        TALK,
        "clinc/oos-eval",
        "CC-BY-3.0",
        data.intents(*_SMALL_TALK),
    ),
)

SETS = CODES + FAULTS + NUMBERS + FACTS + TONGUES + SHORTER + PARTS + REST
"""Every set, in the order of the classes."""
