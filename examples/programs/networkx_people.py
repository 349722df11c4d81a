"""Who matters in a club? Centralities and communities."""
import networkx as nx

club = nx.karate_club_graph()
centrality = nx.degree_centrality(club)
top = sorted(centrality, key=centrality.get, reverse=True)[:4]
between = {node: round(value, 3) for node, value in nx.betweenness_centrality(club).items() if node in top}
ranks = sorted(nx.pagerank(club).items(), key=lambda item: -item[1])[:2]
leaders = [node for node, _ in ranks]
communities = [len(group) for group in nx.community.greedy_modularity_communities(club)]
print(top, between, leaders, communities, sep="\n")
shape = {"nodes": len(club), "edges": club.size(), "diameter": nx.diameter(club), "triangles": sum(nx.triangles(club).values()) // 3}
print(shape)
del club, centrality, ranks
