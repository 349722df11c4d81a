"""Dijkstra's algorithm with a heap."""
import heapq

ROADS = {
    "Oslo": {"Bergen": 463, "Trondheim": 492, "Stockholm": 524},
    "Bergen": {"Oslo": 463, "Trondheim": 656},
    "Trondheim": {"Oslo": 492, "Bergen": 656, "Tromso": 1145},
    "Stockholm": {"Oslo": 524, "Tromso": 1655},
    "Tromso": {},
}


def shortest(start, goal):
    queue, seen = [(0, start, [start])], set()
    while queue:
        length, town, path = heapq.heappop(queue)
        if town == goal:
            return length, path
        if town not in seen:
            seen.add(town)
            for neighbour, distance in ROADS[town].items():
                heapq.heappush(queue, (length + distance, neighbour, [*path, neighbour]))


length, path = shortest("Bergen", "Tromso")
print(" -> ".join(path), f"({length} km)")
