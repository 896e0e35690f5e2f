"""Words that issues may be worded with whatever their requirement says, and words of one meaning."""

_FREE = """
add adds added adding allow allows allowed allowing build builds create creates created creating
creation define defines defined deliver design develop do does done enable enables enabled ensure
ensures ensured establish guarantee guarantees handle handles handled handling has have having implement
implements implemented implementing implementation include includes including introduce let lets make
makes making offer offers perform performs permit permits provide provides provided providing require
requires required set sets setup support supports supported supporting use uses used using
able ability application capability feature features functionality issue need needs needed people
project requirement requirements software specification system task user users
a about after again all also an and any are as at be been before being between both but by can could
during each either every for from had her here his how if in into is it its just may might more most
must of off on onto only or other our out over own per shall should so some such than that the their
them then there these they this those through to too under until up upon via was we were what when where
whether which while who whom whose will with within would you your
not never none nobody nothing neither nor cannot without don doesn isn aren won
"""
_SAME = """
show shows shown display displays displayed present presents presented render renders rendered
save saves saved store stores stored keep keeps kept retain retains retained retention persist persisted
remove removes removed delete deletes deleted erase erases erased deletion removal
change changes changed edit edits edited update updates updated modify modifies modified
check checks checked verify verifies verified validate validates validated validation verification
find finds found search searches searched searching
send sends sent deliver delivers delivered delivery
log logs logged logging record records recorded
restrict restricts restricted limit limits limited maximum max most
fast faster quick quickly speed performance
begin begins start starts started launch launches
end ends stop stops stopped
get gets fetch fetches retrieve retrieves read reads
write writes written
choose chooses chosen select selects selected
run runs running execute executes executed execution
login signin authenticate authenticated authentication
second seconds sec secs
minute minutes min mins
millisecond milliseconds ms
percent percentage
bring brings brought take takes taken taking
"""
_REASONS = """
enhancement
bug: bug fix defect broken crash regress
documentation: document docs readme manual tutorial handbook
security: secur password passphrase encrypt decrypt authenti authori permission secret credential token
    vulnerab attack login signatur confidential private privacy role expir certificate tls forbid unauthor
    leak malicious
performance: perform fast faster slow latenc throughput millisecond second quick memory cpu concurren scal
    cach load
testing: test coverage assert fuzz benchmark
infrastructure: deploy infrastruct server docker container kubernetes backup monitor metric prometheus
    grafana pipeline host cluster database migrat install restart uptime availab terraform
accessibility: accessib screenreader reader keyboard contrast wcag aria caption blind deaf colour color zoom
"""
_SPELLED = "zero one two three four five six seven eight nine ten eleven twelve"

FREE = frozenset(_FREE.split())
"""Words that say nothing of their own in a title; negations too, which are compared on their own."""

SAME = tuple(frozenset(line.split()) for line in _SAME.strip().splitlines())
"""Words of which one may stand for another."""

_LABELS = _REASONS.replace("\n    ", " ").strip().splitlines()
REASONS = {label: tuple(words.split()) for label, _, words in (line.partition(":") for line in _LABELS)}
"""The labels that a model may choose from, each with how words begin that give a reason for it."""

SPELLED = {word: str(value) for value, word in enumerate(_SPELLED.split())}
"""Numbers that are written as words."""
