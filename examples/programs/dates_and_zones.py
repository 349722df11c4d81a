"""A meeting in three time zones, over the change to summer time."""
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

start = datetime(2024, 3, 28, 16, 0, tzinfo=ZoneInfo("Europe/Berlin"))
meetings = [start + timedelta(weeks=week) for week in range(3)]
for meeting in meetings:
    others = [meeting.astimezone(ZoneInfo(zone)).strftime("%H:%M %Z") for zone in ("America/New_York", "Asia/Tokyo")]
    print(meeting.strftime("%a %d %b %Y %H:%M %Z"), *others, sep=" | ")

working_days = sum((date(2024, 3, 1) + timedelta(days=n)).weekday() < 5 for n in range(31))
until_new_year = date(2025, 1, 1) - start.date()
print(working_days, "working days in March,", until_new_year.days, "days until the new year")
