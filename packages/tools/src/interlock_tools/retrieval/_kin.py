"""Words that mean the same where tools are spoken of: verbs, short forms, and things of everyday APIs."""

from interlock_tools.retrieval._words import stem

_GROUPS = """
create add new make open post insert register generate
delete remove destroy erase drop unset clear
update edit change modify patch alter adjust revise set replace
get fetch read show retrieve view display obtain
list enumerate browse
search find lookup query locate discover
send deliver dispatch submit transmit
cancel abort stop terminate halt
start begin launch run execute trigger
rerun retry restart
enable activate
disable deactivate
calculate compute determine evaluate estimate
convert transform translate exchange
compare difference versus
check verify validate confirm
book reserve
buy purchase order
pay payment
merge combine join
split divide separate
copy clone duplicate
move transfer
rename retitle
upload attach
download export
lock freeze
block ban
invite add
approve accept
reject decline deny refuse dismiss
close shut resolve
star favourite favorite
subscribe watch follow
member user person people collaborator participant
comment reply remark note
review feedback
schedule appointment meeting calendar
remind reminder alarm alert notify notification
movie film cinema
music song track
picture image photo
car vehicle auto automobile
taxi cab ride
flight plane airline
train rail railway
hotel lodging accommodation
house home apartment property
restaurant dining
food meal eat
recipe cook dish
grocery supermarket
shop store
weather forecast climate
city town
place location venue
route direction path
distance far length
near nearby close closest nearest
price cost fee rate
money cash fund amount
stock share equity
loan mortgage credit
salary wage income
job employment career
company corporation business firm organization
employee staff worker
student pupil
university college
doctor physician
medicine drug medication
disease illness
lawsuit litigation case
crime criminal offense
game match
player athlete
book novel
author writer
concert show event
message text sms
configuration setting
authentication login signin
certificate ssl tls
close reopen archive rename update
email mail
phone telephone
artwork painting
animal species
speed velocity
height tall
average mean
sum total add
multiply product
maximum max highest largest biggest
minimum min lowest smallest
probability odds chance likelihood
random shuffle
sort order arrange
count number many
file document
folder directory
command shell terminal cmd
program software application
bug issue problem defect ticket
authorization permission access
information detail metadata
secret credential
webhook hook
deploy deployment rollout
build compile
workflow pipeline
job task
log trace
error failure exception
machine instance host
password passcode
profile account
label tag
branch ref
commit revision
version release
customer client
invoice bill
refund reimburse
subscription plan
shipment shipping delivery parcel package
language locale
website site page
exercise workout fitness
vacation holiday trip
attraction landmark sightseeing
statistic stat metric insight
money charge payment balance payout
refund return repay
capture collect take
buyer customer purchaser
bill invoice
receipt invoice
coupon discount voucher promo
machine computer server instance vm
disk volume storage drive
backup snapshot image
ip address
firewall rule
reboot restart reset
poweroff shutdown
poweron boot
resize scale grow enlarge shrink
container pod
worker node
setting option preference
space namespace
chat conversation channel room
topic subject purpose
colleague member teammate
people member user
somebody user member
kick remove
leave exit
hide archive private
public visible shared
link url
paper document
picture photo avatar
drawing diagram
call meeting conference webinar
attendee participant guest
host organizer
recording record
transcript caption
presentation slide
invitation invite
boss manager owner
permission right access role
nickname alias
timetable schedule
undo revert rollback restore
bring restore
trash bin
wipe purge delete
stop cancel suspend pause
resume continue unpause
finish complete end
ship deliver
say post write
speak talk
ask request
answer reply response
vote poll
smile emoji reaction
thumb reaction like
favorite bookmark pin star
followers follower
star stargazer
newest latest recent last
oldest first
overview summary report
changelog release
history log activity event
traffic view visit
visitor viewer
quota limit usage
spend usage billing
key token credential
fingerprint hash
robot bot app
machine runner
automation workflow action
test check
build run
draft unpublished
milestone deadline
sprint iteration
board project kanban
column field
card item
wiki page
snippet gist
blame annotate
differ diff compare
difference diff compare
conflict merge
protect guard
guideline rule policy
danger security
weakness vulnerability
leak expose secret
outdated stale deprecated
dependency package library
download fetch
zip archive tarball
folder tree directory
picture logo
spam abuse block
ban suspend block
unban unblock
hire add
fire remove
rename name title
duplicate copy fork
mirror import
watch subscribe
mute unsubscribe
reminder notification
inbox notification
vulnerability cve advisory
"""

_SHORT_FORMS = """
pull pr
repository repo
organization org organisation
kubernetes k8s
database db
configuration config
environment env
administrator admin
identifier id
certificate cert
parameter param
temporary temp
message msg
authentication auth
information info
application app
document doc
number num
picture pic
specification spec
maximum max
minimum min
average avg
"""

_TWO_WORDS = """
turnoff disable
turnon enable
switchoff disable poweroff
switchon enable poweron
shutdown stop poweroff
kickout remove
throwout remove
throwaway delete
getrid delete remove
signup create register
setup create configure
lookup search get
rollback revert restore
bringback restore
takeback revert
takeover transfer
signin login
logout revoke
pullrequest pr
checkout get
openup create
writeup document
"""

_AKIN, _SAME = 0.3, 0.9


def _kin() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for groups, weight in ((_GROUPS, _AKIN), (_SHORT_FORMS, _SAME)):
        for line in groups.split("\n"):
            group = [stem(word) for word in line.split()]
            for word in group:
                found.setdefault(word, {}).update({other: weight for other in group if other != word})
    for line in _TWO_WORDS.split("\n"):
        for first, *others in ([stem(word) for word in line.split()],) if line else ():
            found.setdefault(first, {}).update(dict.fromkeys(others, _SAME))
    return found


KIN = _kin()
"""The other words for a stem, as stems, and how much of its weight each has."""

METHOD_WORDS = {
    "GET": "get",
    "POST": "create",
    "PUT": "set",
    "PATCH": "update",
    "DELETE": "delete",
}
"""What a method of HTTP does, in a word."""
