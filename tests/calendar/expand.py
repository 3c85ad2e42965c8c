#!/usr/bin/env python3
"""The shifts of a calendar by an independent expander: icalendar, dateutil and recurring-ical-events.

    expand.py FILE FROM TO      Unix seconds; prints JSON: [[start, end, title], ...]
    expand.py --rules FILE      FILE: JSON, [[start, rule, from, to], ...] by the clock on the wall; prints JSON: [[start, ...], ...]
"""
import datetime
import json
import sys

import dateutil.rrule
import icalendar
import recurring_ical_events

if sys.argv[1] == "--rules":
    found = []
    for rule in json.load(open(sys.argv[2])):
        start, first, last = (datetime.datetime.fromisoformat(rule[part]) for part in (0, 2, 3))
        # One that never occurs would be followed for millennia.
        end = "" if "UNTIL" in rule[1] or "COUNT" in rule[1] else f";UNTIL={last:%Y%m%dT%H%M%S}"
        occurrences = dateutil.rrule.rrulestr(rule[1] + end, dtstart=start).between(first, last, inc=True)
        found.append([at.isoformat() for at in occurrences if at < last])
    print(json.dumps(found))
    sys.exit()

with open(sys.argv[1], "rb") as source:
    calendar = icalendar.Calendar.from_ical(source.read())
begin, end = (datetime.datetime.fromtimestamp(int(moment), datetime.timezone.utc) for moment in sys.argv[2:4])
shifts = []
for event in recurring_ical_events.of(calendar).between(begin, end):
    start, stop = event["DTSTART"].dt, event["DTEND"].dt
    shifts.append([int(start.timestamp()), int(stop.timestamp()), str(event["SUMMARY"])])
print(json.dumps(sorted(shifts)))
