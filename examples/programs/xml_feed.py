"""Read a feed, change it, write it."""
import xml.etree.ElementTree as ET

FEED = """<?xml version="1.0"?>
<feed lang="en">
  <entry id="1"><title>First &amp; foremost</title><score>3.5</score></entry>
  <entry id="2"><title>Second</title><score>4.25</score></entry>
  <entry id="3"><title>Third</title></entry>
</feed>"""

root = ET.fromstring(FEED)
titles = {entry.get("id"): entry.findtext("title") for entry in root.iter("entry")}
scores = [float(score.text) for score in root.findall("./entry/score")]
for entry in root.findall("entry"):
    if entry.find("score") is None:
        ET.SubElement(entry, "score").text = f"{sum(scores) / len(scores):.3f}"
ET.indent(root)
print(ET.tostring(root, encoding="unicode"))
print(titles, scores)
del root, entry
