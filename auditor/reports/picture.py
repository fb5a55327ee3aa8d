"""The deployment as a picture: images, artifacts, environments, services, ports in columns."""

from __future__ import annotations

from auditor.reports.escape import cell_width, cut, html, one_line
from auditor.result import AuditResult, EnvironmentReport, ServiceReport
from auditor.values import value

# What provides stands left of what consumes it.
COLUMNS = (
    ("images and artifacts", ("image", "artifact")),
    ("environments", ("environment",)),
    ("services", ("service",)),
    ("ports", ("port",)),
)

_WIDTH, _HEIGHT = 196, 46
_GAP_X, _GAP_Y = 64, 14
_TOP = 34
# A picture of more than this per column shows nothing.
_MOST = 24
_CELLS = 26


@value
class Node:
    """A box. ``state`` is ``yes``, ``no``, ``unknown`` or empty."""

    id: str
    kind: str
    label: str
    detail: str = ""
    state: str = ""


@value
class Edge:
    """A line from provider to consumer, by node ids."""

    source: str
    target: str
    state: str = ""


@value
class Graph:
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()


def graph_of(result: AuditResult) -> Graph:
    """The graph that the services, environments and artifacts of a result imply."""
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    for service in result.services:
        node = f"service:{service.name}"
        states = [answer for _, answer in service.forecast.answers()]
        state = next((s for s in ("no", "unknown") if s in states), "yes")
        failing = next((s for s, answer in service.forecast.answers() if answer == state), "")
        detail = "forecast: all yes" if state == "yes" else f"{failing}: {state}"
        nodes[node] = Node(id=node, kind="service", label=service.name, detail=detail, state=state)
        image = service.base or service.image
        if image:
            nodes[f"image:{image}"] = Node(
                id=f"image:{image}", kind="image", label=image, detail=service.distro or ""
            )
            inside = [e for e in result.environments if _serves(e, service, result)]
            targets = [f"environment:{e.name}" for e in inside] or [node]
            edges += [Edge(source=f"image:{image}", target=target) for target in targets]
        for port in service.published or service.exposed:
            target = f"port:{service.name}:{port}"
            detail = "published" if service.published else "exposed"
            nodes[target] = Node(id=target, kind="port", label=port, detail=detail)
            edges.append(Edge(source=node, target=target))
    for environment in result.environments:
        node = f"environment:{environment.name}"
        python = f"Python {environment.python}, " if environment.python else ""
        locked = "locked" if environment.locked else "not locked"
        nodes[node] = Node(
            id=node, kind="environment", label=environment.name, detail=python + locked
        )
        edges += [
            Edge(source=node, target=f"service:{service.name}")
            for service in result.services
            if _serves(environment, service, result)
        ]
    outcome_state = {"loads": "yes", "fails": "no"}
    for artifact in result.artifacts:
        node = f"artifact:{artifact.path}"
        state = {"safe": "yes", "dangerous": "no"}.get(artifact.verdict, "unknown")
        nodes[node] = Node(
            id=node,
            kind="artifact",
            label=artifact.path.rpartition("/")[2],
            detail=f"{artifact.format}, {artifact.verdict}",
            state=state,
        )
        edges += [
            Edge(
                source=node,
                target=f"environment:{verdict.environment}",
                state=outcome_state.get(verdict.outcome, "unknown"),
            )
            for verdict in artifact.compatibility
        ]
    known = tuple(
        edge for edge in dict.fromkeys(edges) if edge.source in nodes and edge.target in nodes
    )
    return Graph(nodes=tuple(nodes.values()), edges=known)


def _serves(environment: EnvironmentReport, service: ServiceReport, result: AuditResult) -> bool:
    if environment.name in (service.name, service.image, service.stage):
        return True
    return len(result.services) == len(result.environments) == 1


def svg(graph: Graph) -> str:
    """The graph as an SVG element whose colours come from the classes of the page around it."""
    columns = [
        (title, [node for kind in kinds for node in graph.nodes if node.kind == kind])
        for title, kinds in COLUMNS
    ]
    columns = [(title, nodes) for title, nodes in columns if nodes]
    if not columns:
        return ""
    places: dict[str, tuple[int, int]] = {}
    parts: list[str] = []
    bottom = 0
    for number, (title, nodes) in enumerate(columns):
        x = number * (_WIDTH + _GAP_X) + 1
        ordered = _ordered(nodes, graph, places)
        parts.append(f'<text class="head" x="{x}" y="20">{html(title)}</text>')
        for row, node in enumerate(ordered[:_MOST]):
            y = _TOP + row * (_HEIGHT + _GAP_Y)
            places[node.id] = (x, y)
            parts.append(_box(node, x, y))
            bottom = max(bottom, y + _HEIGHT)
        if len(ordered) > _MOST:
            bottom += 24
            parts.append(
                f'<text class="head" x="{x}" y="{bottom - 4}">and {len(ordered) - _MOST} more</text>'
            )
    lines = [
        _curve(edge, places[edge.source], places[edge.target])
        for edge in graph.edges
        if edge.source in places and edge.target in places
    ]
    width = len(columns) * (_WIDTH + _GAP_X) - _GAP_X + 2
    height = bottom + 2
    return (
        f'<svg class="graph" role="img" aria-label="The deployment" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">'
        f"{''.join(lines)}{''.join(parts)}</svg>"
    )


def _ordered(nodes: list[Node], graph: Graph, places: dict[str, tuple[int, int]]) -> list[Node]:
    """Nodes at the mean height of what already stands to their left, to cross fewer lines."""

    def height(node: Node) -> float:
        above = [
            places[edge.source][1]
            for edge in graph.edges
            if edge.target == node.id and edge.source in places
        ]
        return sum(above) / len(above) if above else 0.0

    return sorted(nodes, key=height)


def _box(node: Node, x: int, y: int) -> str:
    label, detail = (html(cut(one_line(text), _CELLS, "…")) for text in (node.label, node.detail))
    full = html(f"{one_line(node.label)}: {one_line(node.detail)}")
    small = " small" if cell_width(node.label) > _CELLS - 4 else ""
    return (
        f'<g class="node {node.kind} {node.state}"><title>{full}</title>'
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
        f'<text class="label{small}" x="{x + 12}" y="{y + 20}">{label}</text>'
        f'<text class="detail" x="{x + 12}" y="{y + 37}">{detail}</text></g>'
    )


def _curve(edge: Edge, source: tuple[int, int], target: tuple[int, int]) -> str:
    x1, y1 = source[0] + _WIDTH, source[1] + _HEIGHT // 2
    x2, y2 = target[0], target[1] + _HEIGHT // 2
    middle = (x1 + x2) // 2
    path = f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
    return f'<path class="edge {edge.state}" d="{path}"/>'
