"""Searches made at random, and what they come to when all of it is worked out from scratch."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from hypothesis import strategies as st

from budgetkit.plugins import (
    Answer,
    Appraisal,
    Constraint,
    Finish,
    Given,
    Lost,
    Move,
    Observation,
    Option,
    Options,
    Plan,
    PlanStep,
    SearchTree,
    TreeNode,
    Valuation,
    Verdict,
)

QUERIES = ("Lantern Bridge", " lantern  bridge", "Oda Brenn", "Alba", "poets of Alba", "Brenn", "bridges", "Alba 1987")
ANSWERS = ("", " ", "Oda Brenn", "none.", "Alba ")

AGAIN, TELL = "tell again", "tell"
WEIGHTS = {"plan": 1, "propose": 6, "act": 10, "appraise": 4, "verify": 1, "answer": 1, AGAIN: 2, TELL: 20}

Dice = tuple[str, int, int]
"""What one step of a random search is made of: what to do, where, and what comes of it."""
valuations = st.builds(
    Valuation,
    root=st.integers(1, 10),
    residual=st.booleans(),
    blend=st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]),
    progress_only=st.booleans(),
    answer_ends=st.booleans(),
    independent=st.booleans(),
)


def steps(most: int = 120) -> st.SearchStrategy[list[Dice]]:
    """Throws of the dice; they shrink to fewer."""
    return st.builds(_throw, st.integers(0, 2**32), st.integers(0, most))


def _throw(seed: int, n: int) -> list[Dice]:
    chance = random.Random(seed)
    whats = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=n)
    return [(what, chance.randrange(1_000), chance.randrange(1_000)) for what in whats]


def play(tree: SearchTree, thrown: Iterable[Dice]) -> Iterator[SearchTree]:
    """Mark moves and tell results as the dice fall; the tree after each step."""
    for what, where, which in thrown:
        if what == AGAIN:
            _tell_again(tree, where, which)
        elif what != TELL:
            tree.mark(_asked(tree, what, where, which))
        elif tree.pending:
            _tell(tree, where, which)
        yield tree


def played(valuation: Valuation, thrown: Iterable[Dice]) -> SearchTree:
    tree = SearchTree("Who designed the bridge?", "random", valuation)
    for _ in play(tree, thrown):
        pass
    return tree


def _asked(tree: SearchTree, kind: Any, where: int, which: int) -> list[Move]:
    """A move that could be asked for at a node, if there is one: an appraisal of what came to something."""
    nodes = [node for node in tree if kind != "appraise" or (node.seen and f"appraise:{node.id}" not in tree.moves)]
    if kind == "act":
        nodes = [node for node in tree if node.untried]
    if not nodes:
        return []
    node = nodes[where % len(nodes)]
    if kind == "act":
        child = f"{node.id}.{len(node.children)}"
        return [Move(id=f"act:{child}", kind="act", node=child, option=node.untried[which % len(node.untried)])]
    number = Counter((move.kind, move.node) for move in tree.moves.values())[kind, node.id]
    key = f"{kind}:{node.id}" if kind == "appraise" else f"{kind}:{node.id}:{number}"
    return [Move(id=key, kind=kind, node=node.id)]


def _tell(tree: SearchTree, where: int, which: int) -> None:
    move = list(tree.pending.values())[where % len(tree.pending)]
    if which % 12 == 0:
        assert tree.lose(move.id, "refused")
    else:
        assert tree.tell(move.id, result_of(move.kind, which))


def _tell_again(tree: SearchTree, where: int, which: int) -> None:
    """Something else, or the same: it changes nothing."""
    if tree.told:
        move = tree.moves[list(tree.told)[where % len(tree.told)]]
        before = all_of(tree)
        assert not tree.tell(move.id, result_of(move.kind, which))
        assert all_of(tree) == before


def result_of(kind: str, n: int) -> Any:
    """One of the results of a move."""
    made: dict[str, Any] = {
        "plan": Plan((PlanStep(f"find {n}", kind="verify"),), hops=n % 4, hint="sparingly"),
        "propose": Options(tuple(_option(n * 7 // 3 + i) for i in range(n % 5))),
        "act": Observation(f"[1] Alba\nAlba has {n} bridges.", error=n % 5 == 0),
        "appraise": Appraisal(n % 13 - 6, support=None if n % 2 else n / 1_000, why="a bridge"),
        "verify": Verdict("continue", (Constraint("a bridge", "satisfied"),), summary=f"{n} bridges"),
        "answer": Answer(ANSWERS[n % len(ANSWERS)], None if n % 3 else n / 1_000),
        "finish": Finish("Oda Brenn"),
    }
    return made[kind]


def _option(n: int) -> Option:
    if n % 17 == 6:
        return Option(answer=ANSWERS[n % len(ANSWERS)], gain=0.7)
    query = QUERIES[n % len(QUERIES)] if n % 3 else f"bridge {n}"
    return Option("search", {"query": query}, gain=n % 10 / 10, why="may help")


# -- all that can be seen of a tree ---------------------------------------------------------------------------------


def all_of(tree: SearchTree) -> dict[str, Any]:
    """Everything that follows from what was asked and told, and both of these in their order."""
    return {
        "question": (tree.question, tree.strategy, tree.valuation),
        "moves": list(tree.moves.items()),
        "told": list(tree.told.items()),
        "pending": list(tree.pending.items()),
        "answers": tree.answers.copy(),
        "finished": tree.finished,
        **what_follows(tree),
    }


def what_follows(tree: SearchTree) -> dict[str, Any]:
    """The nodes and what they are worth, the open ones, and those that wait for something."""
    return {
        "nodes": {node.id: _facts(node) for node in tree},
        "order": [node.id for node in tree],
        "open": {tree.numbered(number).id for number in tree.frontier},
        "rows": tree.frontier.rows(),
        "offered": {tree.numbered(number).id for number in tree.offered},
        "unjudged": {tree.numbered(number).id for number in tree.unjudged},
    }


def _facts(node: TreeNode) -> dict[str, Any]:
    facts = {name: getattr(node, name) for name in TreeNode.__slots__ if name not in _LINKS}
    return {
        **facts,
        "parent": node.parent.id if node.parent else None,
        "children": [child.id for child in node.children],
        "options": list(node.options),
        "taken": set(node.taken),
        "plans": list(node.plans),
        "verdicts": list(node.verdicts),
    }


_LINKS = {"parent", "children", "options", "taken", "plans", "verdicts"}


# -- the same, from scratch -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FromScratch:
    """What a search comes to, by definition: slow, from moves and results alone."""

    tree: SearchTree

    @property
    def how(self) -> Valuation:
        return self.tree.valuation

    @cached_property
    def ids(self) -> list[str]:
        return ["0", *(move.node for move in self.tree.moves.values() if move.kind == "act")]

    @cached_property
    def offers(self) -> list[tuple[str, list[Option]]]:
        """Each proposal's node and what was new in it, in the order in which they were told."""
        offers: list[tuple[str, list[Option]]] = []
        for key, result in self.tree.told.items():
            if isinstance(result, Options):
                node = self.tree.moves[key].node
                fresh: list[Option] = []
                for option in result.options:
                    if option.tool and option.key not in self._known(node, offers) | _keys(fresh):
                        fresh.append(option)
                offers.append((node, fresh))
        return offers

    def _known(self, node: str, offers: list[tuple[str, list[Option]]]) -> set[str]:
        """Every call that was proposed; in an attempt of its own those that were made on the way to the node."""
        if not self.how.independent:
            return _keys(*(made for _, made in offers))
        keys: set[str] = set()
        while "." in node:
            parent = node.rpartition(".")[0]
            options = [option for at, made in offers if at == parent for option in made]
            keys.add(options[self.tree.moves[f"act:{node}"].option].key)
            node = parent
        return keys

    def options(self, node: str) -> list[Option]:
        return [option for at, made in self.offers if at == node for option in made]

    def of(self, node: str, kind: str) -> list[Move]:
        return [move for move in self.tree.moves.values() if move.node == node and move.kind == kind]

    def told(self, node: str, kind: str) -> list[Any]:
        return [
            result
            for key, result in self.tree.told.items()
            if (self.tree.moves[key].node, self.tree.moves[key].kind) == (node, kind)
        ]

    def seen(self, node: str) -> Observation | None:
        return next((result for result in self.told(node, "act") if isinstance(result, Observation)), None)

    def reached(self, node: str) -> bool:
        return node == "0" or self.seen(node) is not None

    def taken(self, node: str) -> set[int]:
        return {move.option for move in self.tree.moves.values() if move.kind == "act" and move.parent == node}

    def children(self, node: str) -> list[str]:
        return [other for other in self.ids if other.rpartition(".")[0] == node]

    def appraisal(self, node: str) -> Appraisal | None:
        return next((result for result in self.told(node, "appraise") if isinstance(result, Appraisal)), None)

    def score(self, node: str) -> int:
        """A step's progress, 4 at most either way, on top of what its parent has; 1 to 10."""
        above = self.score(node.rpartition(".")[0]) if node != "0" else self.how.root
        judged = self.appraisal(node)
        if judged is None:
            return above
        base = above if self.how.residual else self.how.root
        return sorted([1, base + sorted([-4, judged.delta, 4])[1], 10])[1]

    @cached_property
    def answers(self) -> list[Given]:
        given: list[Given] = []
        for key, result in self.tree.told.items():
            node = self.tree.moves[key].node
            if isinstance(result, Answer):
                given.append(Given(node, result.text.strip(), key, result.confidence))
            elif isinstance(result, Options):
                made = [option for option in result.options if not option.tool]
                given += [Given(node, option.answer.strip(), key, option.gain) for option in made]
        return [answer for answer in given if answer.text]

    def worth(self, node: str) -> int:
        """Its value in thousandths; once there is an answer, blended with the mean of its children's worth."""
        own = 100 * self.score(node)
        below = [self.worth(child) for child in self.children(node) if self.reached(child)]
        if not self.answers or not below:
            return own
        return round((1 - self.how.blend) * own + self.how.blend * sum(below) / len(below))

    def busy(self, node: str) -> int:
        return sum(m.id not in self.tree.told for kind in ("propose", "plan") for m in self.of(node, kind))

    def dry(self, node: str) -> bool:
        """Whether the last proposal that was told brought nothing new, or was lost."""
        fresh = iter([made for at, made in self.offers if at == node])
        dries = [isinstance(result, Lost) or not next(fresh) for result in self.told(node, "propose")]
        return bool(dries) and dries[-1]

    def answered(self, node: str) -> bool:
        """Whether an answer that was asked for came; "None" is the word for none."""
        texts = [result.text.strip() for result in self.told(node, "answer") if isinstance(result, Answer)]
        return any(text.lower().rstrip(".") not in {"", "none"} for text in texts)

    def is_open(self, node: str) -> bool:
        seen, judged = self.seen(node), self.appraisal(node)
        nothing = (seen is not None and seen.error) or (judged is not None and judged.delta <= 0)
        over = (self.how.progress_only and nothing) or (self.how.answer_ends and self.answered(node))
        more = not self.dry(node) or len(self.taken(node)) < len(self.options(node))
        return self.reached(node) and not over and not self.busy(node) and more

    def is_offered(self, node: str) -> bool:
        """Whether none of its newest options is taken."""
        made = [made for at, made in self.offers if at == node and made]
        first = len(self.options(node)) - len(made[-1]) if made else 0
        return bool(made) and not any(option >= first for option in self.taken(node))

    def is_unjudged(self, node: str) -> bool:
        seen = self.seen(node)
        return seen is not None and not seen.error and not self.of(node, "appraise")

    def check(self) -> None:
        """The tree is what it should be, down to each node's own books."""
        tree = self.tree
        assert [node.id for node in tree] == self.ids
        assert [node.number for node in tree] == list(range(len(self.ids)))
        assert tree.answers == self.answers
        assert list(tree.pending) == [key for key in tree.moves if key not in tree.told]
        assert {tree.numbered(n).id for n in tree.frontier} == set(filter(self.is_open, self.ids))
        assert tree.frontier.rows() == self._rows()
        assert {tree.numbered(n).id for n in tree.offered} == set(filter(self.is_offered, self.ids))
        assert {tree.numbered(n).id for n in tree.unjudged} == set(filter(self.is_unjudged, self.ids))
        for node in tree:
            assert _facts(node) == {**_facts(node), **self._expected(node.id)}

    def _rows(self) -> list[tuple[int, int]]:
        rows = Counter(self.worth(node) for node in self.ids if self.is_open(node))
        return sorted(rows.items(), reverse=True)

    def _expected(self, node: str) -> dict[str, Any]:
        acted = self.told(node, "act")
        return {
            "parent": node.rpartition(".")[0] or None,
            "children": self.children(node),
            "options": self.options(node),
            "taken": self.taken(node),
            "seen": self.seen(node),
            "lost": next((result.why for result in acted if isinstance(result, Lost)), None),
            "appraisal": self.appraisal(node),
            "score": self.score(node),
            "worth": self.worth(node),
            "rounds": len(self.of(node, "propose")),
            "busy": self.busy(node),
            "dry": self.dry(node),
            "asked": len(self.of(node, "answer")),
            "answered": self.answered(node),
            "plans": [result for result in self.told(node, "plan") if isinstance(result, Plan)],
            "verdicts": [result for result in self.told(node, "verify") if isinstance(result, Verdict)],
        }


def _keys(*made: Iterable[Option]) -> set[str]:
    return {option.key for options in made for option in options}


def as_json(move: Move) -> dict[str, Any]:
    """All of a move, defaults too."""
    return asdict(move)
