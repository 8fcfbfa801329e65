"""The graph picture and its layout: every arrow goes down, boxes do not touch, few arrows cross."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, GraphError
from tinyllm.viz import Edge, Graph, Node, draw_graph
from tinyllm.viz.layers import crossings, layout, levels, spread


@st.composite
def acyclic(draw):
    count = draw(st.integers(1, 18))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda p: p[0] < p[1])
    return count, draw(st.lists(pairs, max_size=40)) if count > 1 else []


@settings(max_examples=60, deadline=None)
@given(acyclic())
def test_arrows_go_down_and_boxes_do_not_touch(case):
    count, edges = case
    widths = {i: 0.5 + (i % 3) / 2 for i in range(count)}
    result = layout(edges, widths, gap=0.25)
    for source, target in edges:
        assert result.places[source][1] < result.places[target][1]
    for depth in range(result.depth):
        row = sorted((x, key) for key, (x, d) in result.places.items() if d == depth)
        for (x, key), (right, other) in pairwise(row):
            assert right - x >= (widths[key] + widths[other]) / 2 + 0.25 - 1e-5
    assert min(x - widths[key] / 2 for key, (x, _) in result.places.items()) >= -1e-5
    assert max(x + widths[key] / 2 for key, (x, _) in result.places.items()) <= result.width + 1e-5


@settings(max_examples=60, deadline=None)
@given(acyclic())
def test_a_route_passes_every_layer_on_its_way(case):
    count, edges = case
    result = layout(edges, dict.fromkeys(range(count), 1.0))
    for (source, target), route in zip(edges, result.routes, strict=True):
        assert route[0] == result.places[source]
        assert route[-1] == result.places[target]
        assert [depth for _, depth in route] == list(range(route[0][1], route[-1][1] + 1))


def test_crossed_ladders_are_untangled():
    edges = [("a", "x"), ("b", "y"), ("c", "z"), ("x", "r"), ("y", "q"), ("z", "p")]
    result = layout(edges, dict.fromkeys("abczyxpqr", 1.0))
    rows = [
        sorted((k for k, (_, d) in result.places.items() if d == depth), key=lambda k: result.places[k][0])
        for depth in range(3)
    ]
    below = {key: [t for s, t in edges if s == key] for key in "abcxyzpqr"}
    assert crossings(rows, below) == 0


def test_an_input_sits_right_above_its_first_user():
    edges = [("x", "a"), ("a", "b"), ("b", "c"), ("w", "c")]
    assert levels(edges, "xabcw") == {"x": 0, "a": 1, "b": 2, "c": 3, "w": 2}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8))
def test_spreading_moves_no_more_than_it_must(wanted):
    sizes = [1.0] * len(wanted)
    got = spread(wanted, sizes, 0.0)
    assert all(b - a >= 1 - 1e-9 for a, b in pairwise(got))
    cost = sum((g - w) ** 2 for g, w in zip(got, wanted, strict=True))
    rng = np.random.default_rng(0)
    for _ in range(50):  # no feasible neighbor is cheaper
        other = np.array(got) + rng.normal(0, 0.1, len(got))
        if np.all(np.diff(other) >= 1):
            assert ((other - wanted) ** 2).sum() >= cost - 1e-9


def test_a_circle_is_refused():
    with pytest.raises(GraphError, match="circle"):
        draw_graph(Graph([Node("a", "a"), Node("b", "b")], [Edge("a", "b"), Edge("b", "a")]))


def test_every_node_has_its_box_with_its_texts_inside():
    nodes = [
        Node("x", "x", ["(2, 3)", "float32"], "input"),
        Node("w", "weight", ["(5, 3)"], "parameter"),
        Node("l", "linear", ["(2, 5)"], "result"),
    ]
    fig = draw_graph(Graph(nodes, [Edge("x", "l"), Edge("w", "l", "w")], "Title", "subtitle"))
    fig.draw_without_rendering()
    ax = fig.axes[0]
    assert [text.get_text() for text in ax.texts if text.get_text() != "w"] == [
        "x",
        "(2, 3)",
        "float32",
        "weight",
        "(5, 3)",
        "linear",
        "(2, 5)",
    ]
    from matplotlib.patches import FancyBboxPatch

    boxes = [patch.get_window_extent() for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    assert len(boxes) == 3
    for text in ax.texts:
        if text.get_text() != "w":
            x0, y0, x1, y1 = text.get_window_extent().extents
            assert any(b.x0 <= x0 and x1 <= b.x1 and b.y0 <= y0 and y1 <= b.y1 for b in boxes), text.get_text()
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["input", "parameter", "result"]


def test_a_value_used_twice_has_two_arrows_side_by_side():
    from matplotlib.patches import PathPatch

    fig = draw_graph(Graph([Node("x", "x"), Node("m", "mul")], [Edge("x", "m"), Edge("x", "m")]))
    one, two = (patch.get_path().vertices for patch in fig.axes[0].patches if isinstance(patch, PathPatch))
    assert one[0, 0] != two[0, 0]
    assert one[-1, 0] != two[-1, 0]


def test_the_engines_graph_is_taken_over():
    import tinyllm as tl

    x = tl.Tensor([1.0, 2.0], requires_grad=True)
    graph = Graph.of(tl.graph_nodes((x * x).exp(), {"x": x}))
    assert [(node.label, node.kind) for node in graph.nodes] == [("x", "input"), ("mul", "op"), ("exp", "result")]
    assert [(edge.source, edge.target) for edge in graph.edges] == [("0", "1"), ("0", "1"), ("1", "2")]
    assert "mul from x, x; exp from mul" in draw_graph(graph).get_label()


def test_a_wide_graph_still_fits_and_a_huge_one_is_refused():
    wide = Graph([Node(str(i), "a_long_operation", ["(123, 456, 789)"]) for i in range(12)], [])
    fig = draw_graph(wide)
    fig.draw_without_rendering()
    extents = np.array([text.get_window_extent().extents for text in fig.axes[0].texts])
    assert extents[:, 0].min() >= 0
    assert extents[:, 2].max() <= 800
    with pytest.raises(GraphError, match="200 nodes are more than a picture can show"):
        draw_graph(Graph([Node(str(i), "x") for i in range(200)], []))


def test_wrong_graphs_say_what_is_wrong():
    with pytest.raises(GraphError, match="'y', which is no node"):
        Graph([Node("x", "x")], [Edge("x", "y")])
    with pytest.raises(GraphError, match="same key"):
        Graph([Node("x", "x"), Node("x", "y")], [])
    with pytest.raises(ConfigError, match="Try: result"):
        Node("x", "x", kind="results")


def test_an_empty_graph_is_an_empty_picture():
    assert len(draw_graph(Graph([], [])).axes[0].texts) == 0
