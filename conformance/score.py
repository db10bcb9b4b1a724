"""How the suite scores a run, and how that compares with what is known to fail.

The rules are the suite's own: a test whose dependency did not pass says nothing, a failure while setting up is no
pass, and of the tests kind `check` asks how a cache behaves without calling either answer wrong.
"""

from dataclasses import dataclass, field

PROFILES = ("cloudfront", "rfc9111")
CUTS = ("npm", "newest")
ANY = "both"


@dataclass
class Score:
    """One profile's run of one cut."""
    profile: str
    cut: str
    passed: dict = field(default_factory=lambda: {"required": 0, "optimal": 0, "check": 0})
    of: dict = field(default_factory=lambda: {"required": 0, "optimal": 0, "check": 0})
    red: dict = field(default_factory=dict)
    unexpected_failures: list = field(default_factory=list)
    unexpected_passes: list = field(default_factory=list)

    @property
    def as_expected(self):
        return not self.unexpected_failures and not self.unexpected_passes

    def cell(self, kind):
        return f"{self.passed[kind]} of {self.of[kind]}"


@dataclass(frozen=True)
class Known:
    """One line of known-failures.txt."""
    profile: str
    cut: str
    test: str
    rule: str


def read_known_failures(path):
    """Lines of `PROFILE CUT TEST  rule`; `#` begins a comment. A line that says nothing is an error."""
    known = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.split(None, 3)
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 4 or words[0] not in (*PROFILES, ANY) or words[1] not in (*CUTS, ANY):
            raise ValueError(f"{path}:{number}: expected `PROFILE CUT TEST rule`, found {line!r}")
        known.append(Known(*words))
    return known


def score(profile, cut, tests, results, known):
    """Scores `results` of the suite's cli and holds them against `known`."""
    outcomes = outcomes_of(tests, results)
    expected = {line.test for line in known if line.profile in (profile, ANY) and line.cut in (cut, ANY)}
    told = Score(profile, cut)
    for test in tests:
        name, kind, outcome = test["id"], test["kind"], outcomes[test["id"]]
        told.of[kind] += 1
        told.passed[kind] += outcome == "pass"
        if kind == "check":
            continue
        if outcome != "pass":
            told.red[name] = f"{kind}, {outcome}: {text_of(results.get(name), test)}"
            if name not in expected:
                told.unexpected_failures.append(name)
        elif name in expected:
            told.unexpected_passes.append(name)
    scored = {test["id"] for test in tests if test["kind"] != "check"}
    told.unexpected_passes += sorted(
        f"{name} (no such test)" for name in expected - scored
        if not any(line.test == name and line.cut == ANY for line in known))
    return told


def outcomes_of(tests, results):
    """`{id: pass | fail | setup fail | retried | dependency fail | not run}`."""
    by_name = {test["id"]: test for test in tests}
    outcomes = {}

    def outcome(name):
        if name not in outcomes:
            outcomes[name] = judged(name)
        return outcomes[name]

    def judged(name):
        result = results.get(name)
        if result is None:
            return "not run"
        if any(outcome(dependency) != "pass" for dependency in by_name[name]["depends_on"]):
            return "dependency fail"
        if result is True:
            return "pass"
        kind, text = (list(result) + ["", ""])[:2]
        if kind == "Setup":
            return "retried" if text == "retry" else "setup fail"
        return "fail"

    for name in by_name:
        outcome(name)
    return outcomes


def text_of(result, test):
    if result is True or result is None:
        return f"it depends on {', '.join(test['depends_on'])}"
    return result[1]


def table(rows):
    """Columns as wide as their widest cell; the first row is the heading."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join(lines)
