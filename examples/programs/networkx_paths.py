"""Routes and flows through a graph."""
import networkx as nx

roads = nx.Graph()
roads.add_weighted_edges_from([("A", "B", 4), ("A", "C", 2), ("B", "C", 1), ("B", "D", 5), ("C", "D", 8), ("C", "E", 10), ("D", "E", 2)])
path = nx.shortest_path(roads, "A", "E", weight="weight")
length = nx.shortest_path_length(roads, "A", "E", weight="weight")
tree = sorted(map(sorted, nx.minimum_spanning_tree(roads).edges()))
print(path, length, tree, sep="\n")
pipes = nx.DiGraph()
pipes.add_weighted_edges_from([("s", "a", 3), ("s", "b", 2), ("a", "b", 1), ("a", "t", 2), ("b", "t", 3)], weight="capacity")
flow = nx.maximum_flow_value(pipes, "s", "t")
order = list(nx.lexicographical_topological_sort(pipes))
print(flow, order, nx.is_directed_acyclic_graph(pipes))
del roads
