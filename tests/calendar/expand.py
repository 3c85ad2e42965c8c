#!/usr/bin/env python3
"""The shifts of a calendar by an independent expander: icalendar, dateutil and recurring-ical-events.

    expand.py FILE FROM TO      Unix seconds; prints JSON: [[start, end, title], ...]
"""
import datetime
import json
import sys

import icalendar
import recurring_ical_events

with open(sys.argv[1], "rb") as source:
    calendar = icalendar.Calendar.from_ical(source.read())
begin, end = (datetime.datetime.fromtimestamp(int(moment), datetime.timezone.utc) for moment in sys.argv[2:4])
shifts = []
for event in recurring_ical_events.of(calendar).between(begin, end):
    start, stop = event["DTSTART"].dt, event["DTEND"].dt
    shifts.append([int(start.timestamp()), int(stop.timestamp()), str(event["SUMMARY"])])
print(json.dumps(sorted(shifts)))
