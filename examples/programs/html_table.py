"""A table scraped from HTML."""
from bs4 import BeautifulSoup
from lxml import html

PAGE = """
<html><head><title>Planets</title></head><body>
<table id="planets"><tr><th>Name</th><th>Moons</th></tr>
<tr class="rock"><td><a href="/mars">Mars</a></td><td>2</td></tr>
<tr class="gas"><td><a href="/jupiter">Jupiter</a></td><td>95</td></tr>
<tr class="gas"><td>Saturn &amp; rings</td><td>146</td></tr></table>
</body></html>"""

soup = BeautifulSoup(PAGE, "lxml")
rows = [[cell.get_text(strip=True) for cell in row.find_all(["th", "td"])] for row in soup.select("#planets tr")]
moons = {name: int(count) for name, count in rows[1:]}
links = {a.text: a["href"] for a in soup.find_all("a")}
title = soup.title.string + ""
print(title, moons, links, sep="\n")
tree = html.fromstring(PAGE)
gas = tree.xpath("//tr[@class='gas']/td[1]//text()")
total = tree.xpath("sum(//td[2])")
print([str(name) for name in gas], total)
del soup, tree
