"""Describe two samples with the standard library alone."""
import statistics

heights = {
    "north": [171.2, 168.4, 180.1, 175.9, 166.3, 172.8],
    "south": [165.0, 169.7, 174.2, 161.8, 170.5, 168.1],
}

summary = {}
for region, values in heights.items():
    summary[region] = {
        "mean": round(statistics.mean(values), 3),
        "median": statistics.median(values),
        "stdev": round(statistics.stdev(values), 3),
        "quartiles": [round(q, 2) for q in statistics.quantiles(values, n=4)],
    }
    print(f"{region:<6} mean {summary[region]['mean']:>8.3f}  stdev {summary[region]['stdev']:>6.3f}")

difference = round(summary["north"]["mean"] - summary["south"]["mean"], 3)
print("difference:", difference)
