"""A picture drawn, filtered, turned and measured."""
import io

from PIL import Image, ImageDraw, ImageFilter, ImageOps, ImageStat

picture = Image.new("RGB", (64, 48), "white")
draw = ImageDraw.Draw(picture)
draw.rectangle((8, 8, 40, 30), fill=(200, 30, 30))
draw.ellipse((30, 20, 60, 44), outline="blue", width=2)
colours = sorted(picture.getcolors(), reverse=True)[:2]
grey = ImageOps.grayscale(picture)
edges = grey.filter(ImageFilter.FIND_EDGES)
turned = picture.rotate(90, expand=True)
small = grey.resize((8, 6), Image.Resampling.BOX)
mean = round(ImageStat.Stat(grey).mean[0], 2)
buffer = io.BytesIO()
picture.save(buffer, "PNG")
again = Image.open(buffer)
same = list(again.getdata()) == list(picture.getdata())
pixels = list(small.getdata())[:16]
print(colours, turned.size, mean, again.format, same, pixels, edges.getbbox(), sep="\n")
del buffer, draw
