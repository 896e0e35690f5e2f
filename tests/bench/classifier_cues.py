"""Which words and shapes speak for which class of task, as people know it: where the fit starts from.

Weights are rough powers of evidence: 1 is a hint, 4 nearly settles it. Chosen on the development half of the
labelled prompts; the held-out half judges them.
"""

from typing import Final

from interlock_router import TASKS

CODE_GENERATION, CODE_REVIEW, DEBUGGING, PLANNING, ANALYSIS, EXTRACTION = range(6)
SUMMARISATION, TRANSLATION, QUESTION_ANSWERING, MATHEMATICS, WRITING, CONVERSATION = range(6, 12)

LANGUAGES: Final = (
    "arabic chinese czech danish dutch english finnish french german greek hebrew hindi hungarian italian "
    "japanese korean latin norwegian polish portuguese russian spanish swedish thai turkish ukrainian "
    "vietnamese"
)

_WORDS: Final[dict[int, dict[float, str]]] = {
    CODE_GENERATION: {
        3.0: "implement implementation regex dockerfile coroutine",
        2.0: "script endpoint decorator manifest cli programmiere implementiere snippet subroutine "
        "boilerplate",
        1.5: "function program code query component algorithm funktion unittest refactored canvas workflow",
        1.0: "sql html css react flask fastapi django pytest terraform kubernetes api class method stdin "
        "pandas dataframe npm webpack numpy loop array json interface module library generate",
        0.8: "python javascript typescript java rust golang kotlin swift bash php ruby scala perl haskell "
        "go c",
    },
    CODE_REVIEW: {
        4.0: "lgtm",
        3.0: "idiomatic readability smells reviewer",
        2.2: "review refactorings critique refactor",
        2.0: "feedback pitfalls naming audit vulnerabilities bewerte verbesserungen reviewing",
        1.5: "diff patch approve merge improved improvements vulnerability reentrancy injection xss critic",
        1.0: "commit comments severity maintainability leaks quality opinion suggest",
    },
    DEBUGGING: {
        4.0: "traceback debug segfault stacktrace crashloopbackoff",
        3.0: "buggy bugs corrected repair bug crash crashes crashed crashing segmentation debugging stürzt",
        2.5: "fails deadlock fehler",
        2.0: "error exception fix throws failing errors",
        1.5: "regression incorrect incorrectly unexpectedly raises reproduce failed undefined leak "
        "mistake broken wrong hangs stuck unexpected",
        1.0: "timeout rejected refused null nan crashloop locally console log logs compile compiling "
        "terminate",
    },
    PLANNING: {
        4.0: "roadmap itinerary projektplan reiseplan",
        3.0: "timeline milestones schedule checklist subtasks",
        2.5: "plan agenda sprints sprint decompose",
        2.0: "organise organize routine calendar planning deadlines",
        1.5: "steps strategy phases trip deadline launch upgrade migrate",
        0.8: "weekly quarters priorities responsibilities programme onboarding rollback budget goal",
        0.5: "week weeks month months days dependencies tasks",
    },
    ANALYSIS: {
        4.0: "swot",
        3.0: "analyse analyze analysis assess analysiere analyzing analysing vergleiche",
        2.5: "contrast interpret examine implications trends insights hypotheses critically tradeoffs "
        "symbolism advantages disadvantages nachteile",
        2.0: "compare evaluate discuss weigh fallacies comparison",
        1.5: "impact themes competitor sentiment argument factors recommendation causes risks realistic",
        0.8: "explain conclude consider judge positioning market growth",
    },
    EXTRACTION: {
        4.0: "extract extrahiere extracting",
        2.5: "entities ner",
        2.0: "parse entity keywords verbatim hashtags",
        1.5: "triplets identifying entity entities mention json csv mentioned retrieve scrape identify "
        "extraction",
        1.0: "fields schema invoice table normalise capture citations tag fill table columns field "
        "transcript",
        0.6: "dates names amounts distinct addresses numbers list output owner urls",
    },
    SUMMARISATION: {
        4.5: "tldr",
        4.0: "summarise summarize summary summarised summarized summarising summarizing summaries résume "
        "zusammenfassung résumé",
        3.5: "highlights condense takeaways gist recap fasse",
        2.5: "shorten digest boil shortened",
        1.5: "abstract overview essentials headline reduce",
        1.0: "brief concise briefly missed miss",
        0.6: "article report transcript passage essay chapter paper document thread story discussion",
    },
    TRANSLATION: {
        5.0: "translate übersetze übersetzen traduis traduire traduce traduzca traduci translating traduza",
        4.0: "translation translations",
        3.0: "transliteration localise localize",
        1.5: "subtitles idioms pronounce equivalent",
        1.0: LANGUAGES,
    },
    QUESTION_ANSWERING: {
        1.5: "define passage context true",
        1.0: "capital symptoms explain meaning invented founded who discovered",
        0.5: "year world country difference",
    },
    MATHEMATICS: {
        4.0: "derivative integral determinant eigenvalues eigenvalue polynomial polynomials logarithm",
        3.0: "perimeter remainder simplify induction integers cyclic prove theorem hypotenuse berechne",
        2.5: "solve equation probability calculate equations factorial",
        2.0: "compute matrix triangle circle rectangle radius divided infinity proof fläche altogether "
        "modulo",
        1.5: "area limit product twice sum fraction dice average multiply ratio remaining",
        1.0: "compound consecutive percent ways sold sells cost half speed km die per many",
    },
    WRITING: {
        4.0: "poem haiku lyrics proofread gedicht sonnet limerick",
        3.5: "slogan paraphrase rephrase",
        2.5: "story rewrite toast dialogue blog friendlier geschichte compose tagline",
        2.0: "novel article concepts paraphrase chapter draft letter essay speech song verses chorus grammar "
        "spelling resignation persuasive craft",
        1.5: "tone scene novel engaging linkedin caption email announcement professional polite",
        1.0: "write post titles formal style funny catchy schreibe warm announcing creative intro",
        0.5: "paragraph words sentence improve",
    },
    CONVERSATION: {
        3.5: "lol haha hehe hallo",
        3.0: "hi hello hey thanks joke bye moin",
        1.5: "feeling chat bored cool ok okay glad excited favourite favorite",
        1.0: "nice talk weekend today girlfriend boyfriend boss mood mom mum cat sorry wow please game",
        0.5: "you your i'm i my me",
    },
}

_PAIRS: Final[dict[int, dict[float, str]]] = {
    CODE_GENERATION: {
        2.0: "integer array,an array,array of,string s,linked list,binary tree,return the,return true,"
        "given string,"
        "integer n,bash command,shell command",
        2.5: "python function,bash script,unit tests,github actions,following interface,python script,"
        "rest endpoint,show code,sql query,write code,a function,code up,one liner,react component",
        1.5: "the code,command line,java class,no libraries,a script,a program,cli tool,a regex,a class,"
        "a decorator,a query,eine funktion,a module,c program",
    },
    CODE_REVIEW: {
        4.0: "code review,security review,pull request,code smells",
        2.5: "best practices,look over,any feedback,pair of,my implementation,any pitfalls,be improved,"
        "feedback on,you change,review my,review this,review the,merge request,solid principles",
        1.5: "edge cases,thread safety,security problems,you think,would refactor,this patch,this commit,"
        "this code,you refactor,before merging",
    },
    DEBUGGING: {
        3.5: "fix bugs,fix bug,bugs in,a bug,buggy code,"
        "doing wrong,undefined reference,core dumped,not working,doesn't work,the bug,figure out",
        2.5: "is wrong,connection refused,exit code,fix it,this error,fix this,the mistake,"
        "never terminate,woran liegt,stack trace,how to fix,bad gateway,an error,fix the,but prints,"
        "already allocated",
        1.5: "unable to,what happened,cannot read,after upgrading,under load,find the cause,works locally,"
        "keeps growing,not picking,is killed,it returns,should print,but fails,why does,why is my",
    },
    PLANNING: {
        4.0: "action plan,study plan,project plan,meal plan,savings plan,training plan,recovery plan",
        3.0: "user stories,a plan,my week,a roadmap,go-to-market strategy,training programme,day trip,plan a",
        2.0: "break down,lay out,what steps,steps to,steps should,the steps,by step,sequence of,my day,"
        "shopping list,per week,into milestones,daily routine,weekly tasks",
    },
    ANALYSIS: {
        4.0: "pros and,strengths and,weaknesses of,vor- und,root causes,trade-offs matter,advantages and",
        2.5: "might explain,test results,weigh the,impact of,best for,implications of,which trade-offs,"
        "competitor analysis,study design,what trends,how healthy,business case",
        1.5: "what insights,risks of,views on,which of,should we,why did,cons of,do you see,"
        "leadership styles",
    },
    EXTRACTION: {
        3.0: "pull out,structured data,named entity,list every,list all,extract all,find all",
        2.0: "from this,from the,the entities,the text,action items,phone numbers,key value,key facts,"
        "email addresses,answer with,return json,the keywords,all the,error codes,output only,"
        "json array",
        1.0: "following job,text below,this address,this sentence,the invoice,these reviews,the json,"
        "as json,the citations,given the",
    },
    SUMMARISATION: {
        4.0: "tl dr,key takeaways,sum up,executive summary,boil this,main points",
        2.5: "short summary,bullet points,in one,three sentences,two sentences,two lines,did i,"
        "shorten this,brief overview,main arguments,i miss,words or",
        1.0: "the following,text below,this report,following article,document for,one sentence,"
        "one paragraph,the gist,this passage,text to,passage about,main ideas",
    },
    TRANSLATION: {
        5.0: "you say,how say",
        2.5: "into french,into german,to german,into english,to english,into spanish,to french,to spanish,"
        "to japanese,into latin,from chinese,from korean,word for,version of,mean in,to polish,"
        "in italian,in swedish,to portuguese,into italian,to italian,to chinese,into japanese,"
        "ins englische,al español,en anglais,auf deutsch",
    },
    QUESTION_ANSWERING: {
        4.0: "true or,multiple choice,the question,correct option,correct letter",
        2.0: "who was,who wrote,who is,capital of,how does,who founded,difference between,what are,"
        "what does,how do,what causes,in which,what is,tell me,when did,where do,when was,why is,"
        "which country",
    },
    MATHEMATICS: {
        3.0: "for x,square root,how many,average speed,divided by,the derivative,the integral,sum of,"
        "the area,what percentage,the probability,find the",
        1.5: "show that,let g,many ways,per day,how much,compound interest,twice as,per hour,the value,"
        "each have",
    },
    WRITING: {
        4.0: "cover letter,short story,press release,thank-you note,product description,blog post",
        2.5: "an email,a poem,a speech,a story,style of,more formal,more professional,sound more,"
        "linkedin post,a letter,an essay,this paragraph,the flow,correct grammar,alternative titles,"
        "sound friendlier,a slogan,a song,polite email",
        1.0: "about a,write a,draft a,compose a,write an,the following",
    },
    CONVERSATION: {
        4.0: "how are,what's up,are you,a joke,good morning,good night,thank you,wie geht,have a name,"
        "who are",
        2.5: "just talk,you like,you later,you believe,do you,your favorite,your favourite,let's play,"
        "i'm so,i'm feeling,see you,chat with,yes please,can you believe,your name,i hope,hope so",
        1.0: "my boss,a day,at work,i meant,i don't,i had,my day,i got,i just",
    },
}

_SHAPES: Final[dict[int, dict[float, str]]] = {
    CODE_GENERATION: {4.0: "#opens code", 0.7: "#code,#line of code", 1.5: "#doc"},
    CODE_REVIEW: {2.0: "#patch", 1.5: "#code then words"},
    DEBUGGING: {4.0: "#fault,#issue", 3.0: "#trace", 1.5: "#code then words"},
    TRANSLATION: {1.5: "#script"},
    QUESTION_ANSWERING: {3.0: "#choice", 1.5: "#answer,#context,#options,#blank", 1.0: "#ends ?"},
    MATHEMATICS: {2.0: "#formula,#sum", 0.5: "#numbers 3", 1.0: "#numbers 4,#numbers 5"},
    CONVERSATION: {1.5: "#emote", 3.0: "#words 0", 2.5: "#words 1", 1.0: "#words 2"},
}

_ASKING: Final = (
    "who what when where which why how is are was were does do did can could in will has have what's who's "
    "quelle quel wer wie wo wann warum"
)


def priors() -> dict[str, list[float]]:
    """For each cue, its weight for each class, in the order of `TASKS`."""
    found: dict[str, list[float]] = {}

    def say(cue: str, task: int, weight: float) -> None:
        found.setdefault(cue, [0.0] * len(TASKS))[task] += weight

    said = [(_WORDS, " "), (_PAIRS, ","), (_SHAPES, ",")]
    for groups, between in said:
        for task, weighed in groups.items():
            for weight, cues in weighed.items():
                for cue in cues.split(between):
                    say(cue, task, weight)
    for number, task in enumerate(TASKS):
        say(f"#asked {task}", number, 2.0 if number == WRITING else 4.0)
    for word in _ASKING.split():
        say("^^" + word, QUESTION_ANSWERING, 1.7)
    return found
