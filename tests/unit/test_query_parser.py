"""Query text to a tree and back."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.query import EVERYTHING, QueryError, describe, parse
from store.query.moments import last, slid
from store.query.parser import QUERY_MAX_LENGTH, QUERY_MAX_LEVELS
from store.query.syntax import And, Compare, Exists, Field, Node, Not, Op, Or, Path, Regex, Since, Text, Until

UUID_TEXT = "01890a5d-ac96-774b-bcce-b302099a8057"


NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def equal(field: Field, value: str) -> Compare:
    return Compare(field, Op.EQ, value)


def regex(field: Field, pattern: str) -> Compare:
    return Compare(field, Op.REGEX, pattern)


def type_is(value: str) -> Compare:
    return equal(Field.TYPE, value)


def status_is(value: str) -> Compare:
    return equal(Field.STATUS, value)


A, B, C = Text("a"), Text("b"), Text("c")
WARNING_UP = Compare(Field.SEVERITY, Op.GE, "warning")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        # Nothing, and everything.
        ("", EVERYTHING),
        (" \t\n", EVERYTHING),
        ("*", EVERYTHING),
        ("-*", Not(EVERYTHING)),
        # Words.
        ("tracker", Text("tracker")),
        ("Tracker", Text("Tracker")),
        ("svc-123", Text("svc-123")),
        ("2026-11-21", Text("2026-11-21")),
        ("14:05", Text("14:05")),
        ("a/b", Text("a/b")),
        ("download.failed", Text("download.failed")),
        ("don't", Text("don't")),
        ("user@host", Text("user@host")),
        ("a,b", Text("a,b")),
        ("a|b", Text("a|b")),
        (r"C\temp", Text(r"C\temp")),
        ("fail*", Text("fail")),
        ("*fail*", Text("fail")),
        ("oregano android nothing", And((Text("oregano"), Text("android"), Text("nothing")))),
        # Phrases.
        ('"timed out"', Text("timed out")),
        ('"-x"', Text("-x")),
        ('"or"', Text("or")),
        ('"a*b"', Text("a*b")),
        ('""', Text("")),
        (r'"say \"no\" \\ \n\t\r"', Text('say "no" \\ \n\t\r')),
        (r'"\u{1f600}\u{7}"', Text("\U0001f600\x07")),
        ('pre"mid dle"post', Text("premid dlepost")),
        # AND, OR, NOT and grouping.
        ("a b", And((A, B))),
        ("a and b", And((A, B))),
        ("a AND b && c", And((A, B, C))),
        ("a&&b", And((A, B))),
        ("a or b", Or((A, B))),
        ("a||b Or c", Or((A, B, C))),
        ("a b or c", Or((And((A, B)), C))),
        ("a (b or c)", And((A, Or((B, C))))),
        ("(a b) c", And((And((A, B)), C))),
        ("((a))", A),
        ("-a", Not(A)),
        ("!a", Not(A)),
        ("not a", Not(A)),
        ("not not -a", Not(Not(Not(A)))),
        ("NOT(a b)", Not(And((A, B)))),
        ("-(a or b) c", And((Not(Or((A, B))), C))),
        ("a -b", And((A, Not(B)))),
        # Comparisons.
        ("type:download.failed", type_is("download.failed")),
        ("-type:noise", Not(type_is("noise"))),
        ("!type:noise", Not(type_is("noise"))),
        ("event_type:A.B", type_is("a.b")),
        ("TYPE=a.b", type_is("a.b")),
        ("cat==Media", equal(Field.CATEGORY, "media")),
        ("type!=a.b", Not(type_is("a.b"))),
        ("type:!=a.b", Not(type_is("a.b"))),
        ("type:!a.b", Not(type_is("a.b"))),
        ("status: failed", status_is("failed")),
        ("status : failed", status_is("failed")),
        ("status:Failed", status_is("Failed")),
        ("status:or", status_is("or")),
        ("status:-5", status_is("-5")),
        ('status:"in progress"', status_is("in progress")),
        ("status~Fail", Compare(Field.STATUS, Op.CONTAINS, "Fail")),
        ("status:~Fail", Compare(Field.STATUS, Op.CONTAINS, "Fail")),
        ("status!~fail", Not(Compare(Field.STATUS, Op.CONTAINS, "fail"))),
        ('status~"*"', Compare(Field.STATUS, Op.CONTAINS, "*")),
        ("status:a,b", Or((status_is("a"), status_is("b")))),
        ("status:a, b c", And((Or((status_is("a"), status_is("b"))), C))),
        ("status:(a OR b || c)", Or((status_is("a"), status_is("b"), status_is("c")))),
        ("status:(a, b)", Or((status_is("a"), status_is("b")))),
        ("status:(a)", status_is("a")),
        ("status!=a,b", Not(Or((status_is("a"), status_is("b"))))),
        # Severity.
        ("severity>=warning", WARNING_UP),
        ("severity:>=warning", WARNING_UP),
        ("severity >= WARN", WARNING_UP),
        ("sev<err", Compare(Field.SEVERITY, Op.LT, "error")),
        ("sev:warn,err", Or((equal(Field.SEVERITY, "warning"), equal(Field.SEVERITY, "error")))),
        # Globs and existence.
        ("type:Download.*", Compare(Field.TYPE, Op.GLOB, "download.*")),
        ('status:"in progress"*', Compare(Field.STATUS, Op.GLOB, "in progress*")),
        ('status:"a*b"', status_is("a*b")),
        ("status:*", Exists(Field.STATUS)),
        ("status!=*", Not(Exists(Field.STATUS))),
        ("-actor_id:*", Not(Exists(Field.ACTOR_ID))),
        # Places in the metadata.
        ("@error.code:5", Compare(Path(("error", "code")), Op.EQ, "5")),
        ("@error.code>=-0.5", Compare(Path(("error", "code")), Op.GE, "-0.5")),
        ("-@Error:*", Not(Exists(Path(("Error",))))),
        ("@a!=x", Not(Compare(Path(("a",)), Op.EQ, "x"))),
        ("@a~X b", And((Compare(Path(("a",)), Op.CONTAINS, "X"), B))),
        ("@a:x*,y", Or((Compare(Path(("a",)), Op.GLOB, "x*"), Compare(Path(("a",)), Op.EQ, "y")))),
        ('@"exit code"."".ключ-1:0', Compare(Path(("exit code", "", "ключ-1")), Op.EQ, "0")),
        (r'@"a\"b.c" : 1', Compare(Path(('a"b.c',)), Op.EQ, "1")),
        # Regular expressions.
        ("/time.*out/ a", And((Regex("time.*out"), A))),
        (r"-/a\/b|c d\.e/", Not(Regex(r"a/b|c d\.e"))),
        ("(/a b/)", Regex("a b")),
        ("status:/^f.*d$/", regex(Field.STATUS, "^f.*d$")),
        ("status=~f.*", regex(Field.STATUS, "f.*")),
        ('status ~= "a, (b)"', regex(Field.STATUS, "a, (b)")),
        ("status~/F/", regex(Field.STATUS, "F")),
        ("status!~/f/", Not(regex(Field.STATUS, "f"))),
        ("status!=/f/", Not(regex(Field.STATUS, "f"))),
        ("status:/a,b/,c", Or((regex(Field.STATUS, "a,b"), status_is("c")))),
        ("severity:/r+/", regex(Field.SEVERITY, "r+")),
        ("resource:/a:b/", regex(Field.RESOURCE, "a:b")),
        ("@a.b:/x/", Compare(Path(("a", "b")), Op.REGEX, "x")),
        # Times.
        ("last:15m", Since(NOON - timedelta(minutes=15), timedelta(minutes=15))),
        ("LAST = 2h", Since(NOON - timedelta(hours=2), timedelta(hours=2))),
        ("last:9999999w", Since(datetime.min.replace(tzinfo=UTC), timedelta(weeks=9999999))),
        ("since:-2h", Since(NOON - timedelta(hours=2))),
        ("-until:5m", Not(Until(NOON - timedelta(minutes=5)))),
        ("since:12:30", Since(NOON - timedelta(minutes=30))),
        ("since:13:30", Since(NOON - timedelta(hours=23, minutes=30))),
        ("until:11:30Z", Until(NOON - timedelta(minutes=30))),
        ("until:2026-11-21", Until(NOON - timedelta(hours=13))),
        ('since:"2026-11-21 10:00:00.5+02:00"', Since(NOON - timedelta(hours=3, minutes=59, seconds=59.5))),
        # Pairs and ids.
        ("actor:User:42", equal(Field.ACTOR, "user:42")),
        ("actor:user/42", equal(Field.ACTOR, "user:42")),
        ("actor:user", equal(Field.ACTOR, "user")),
        ("actor:u*", Compare(Field.ACTOR, Op.GLOB, "u*")),
        ("actor:user:*", Compare(Field.ACTOR, Op.GLOB, "user:*")),
        ("resource:download/9f3a", equal(Field.RESOURCE, "download/9f3a")),
        ("resource:track:9f3a", equal(Field.RESOURCE, "track/9f3a")),
        ("resource:a/b/c:d", equal(Field.RESOURCE, "a/b/c:d")),
        ("resource:download", equal(Field.RESOURCE, "download")),
        ("resource:download/", equal(Field.RESOURCE, "download")),
        ("resource_id:9f3a", equal(Field.RESOURCE_ID, "9f3a")),
        (f"id:{UUID_TEXT.upper()}", equal(Field.ID, UUID_TEXT)),
        ("id:01890A*", Compare(Field.ID, Op.GLOB, "01890a*")),
    ],
)
def test_query_text_is_read_as_a_tree(text: str, tree: Node) -> None:
    assert parse(text, NOON, BERLIN) == tree


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("typ:foo", 0, "no field 'typ'; did you mean 'type'?"),
        ("a -statsu:x", 3, "did you mean 'status'?"),
        ("http://host", 0, "for the text, quote it"),
        ("xyzzy = 1", 0, "no field 'xyzzy'"),
        ("status:", 7, "expected a value after 'status:'"),
        ("status:a,", 9, "expected a value"),
        ("status:(a b)", 10, "expected OR or ',' or ')'"),
        ("status:(", 8, "expected a value"),
        ("status>5", 6, "status has no order; only severity"),
        ("status:>=5", 6, "status has no order"),
        ("severity:fatal", 9, "no severity 'fatal'; it is info, warning or error"),
        ("severity>=fatal", 10, "info, warning or error"),
        ("severity:w*", 9, "info, warning or error"),
        ("severity~warn", 9, "not ~"),
        ("severity>=info,error", 15, ">= takes one value"),
        ("status>=/f/", 6, "status has no order"),
        ("severity>=/w/", 10, ">= takes no regular expression"),
        ("a /b(/", 2, "no regular expression: missing )"),
        ("status:/(?=x)/", 7, "no regular expression: invalid perl operator"),
        (r"status=~a\1", 8, "no regular expression: invalid escape sequence"),
        ("status:/((a{30}){30}){30}/", 7, "no regular expression: invalid repetition size"),
        (r"/(\pL{500}){2}/", 0, "no regular expression: pattern too large"),
        ("/a\tb/", 0, r"U+0009 in a regular expression is written \x{9}"),
        ('status=~""', 8, "expected a regular expression"),
        ("status~f*", 7, "without *"),
        ('status:"a*"*', 7, "a quoted *"),
        ("status:a*,'b'", 10, "double quotes"),
        ("actor:bob", 6, "no actor 'bob'; it is user, system or job"),
        ('resource:":9"', 9, "expected a type"),
        ("id:123", 3, "a UUID"),
        ("@", 0, "expected a key after '@'"),
        ("a @:5", 2, "expected a key after '@'"),
        ("@error.:5", 6, "expected a key after '.'"),
        ("a @error b", 9, "expected ':' or a comparison after '@error'; with :* it finds"),
        ("@error", 6, "expected ':' or a comparison"),
        ("@tags[0]:x", 5, "a place in a list cannot be asked for"),
        ("@tries>many", 7, "no number 'many'; > compares numbers"),
        ("@tries>=5,6", 10, ">= takes one value"),
        ('@"a', 0, "this quote is not closed"),
        (r'@"a\q":1', 3, "unknown escape"),
        ("/var/log", 0, "ends with a / and a space (/a.*b/); to search for the text, quote it"),
        ("status:/f", 7, "ends with a /"),
        ("//", 0, "ends with a /"),
        ("a last:15", 7, "no length of time; write it like 30s, 15m"),
        ("last:-15m", 5, "no length of time"),
        ("last:0s", 5, "no length of time"),
        ("last:*", 5, "no length of time"),
        ("last:14:05", 5, "no length of time"),
        ("Since:noon", 6, "no moment; write it like 14:05"),
        ("since:99999999w", 6, "no moment"),
        ("until>=-5m", 5, "until takes a ':'"),
        ("since:14:05,15:05", 12, "since takes one value"),
        ("sinc:14:05", 0, "did you mean 'since'?"),
        ("a or", 4, "expected a word or field:value after 'or'"),
        ("or a", 0, "to search for 'or', quote it"),
        ("a or or b", 5, "quote it"),
        ("not", 3, "expected a word"),
        ("(a b", 4, "expected ')' after 'b'"),
        ("a b)", 3, "this ')' closes nothing"),
        ("()", 1, "expected a word"),
        ("f(x)", 1, "expected a space here"),
        ("(a)(b)", 3, "expected a space here"),
        ('a "b c', 2, "this quote is not closed"),
        ("'a b'", 0, "double quotes"),
        (r'"a\qb"', 2, r"unknown escape '\q'"),
        (r'"\u{d800}"', 1, "unknown escape"),
        (r'"\u{0}"', 1, "unknown escape"),
        ("- a", 0, "'-' excludes the one thing right after it"),
        ("a --force", 2, "quote it"),
        (">=warning", 0, "expected a field before '>='"),
        ("a !=b=c", 0, "no field 'a'"),
        ("9 =b", 2, "expected a field before '='"),
        ("a | b", 2, "OR can be written ||"),
        ("a*b", 0, "a * within a word needs a field"),
        ("a\x00b", 1, "U+0000 is in no event"),
        ("a \ud800", 2, "U+D800 is in no event"),
        ("x" * (QUERY_MAX_LENGTH + 1), QUERY_MAX_LENGTH, "at most 1,000 characters"),
        ("-(" * 33 + "a" + ")" * 33, 64, "more than 32 levels"),
        ("-(" * 32 + "status:a,b" + ")" * 32, 64, "more than 32 levels"),
    ],
)
def test_an_unreadable_query_tells_where_and_what_was_expected(text: str, column: int, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (EVERYTHING, ""),
        (
            And((Text("timed out"), Not(status_is("a b")), WARNING_UP)),
            '"timed out" -status:"a b" severity>=warning',
        ),
        (Or((type_is("a.b"), Compare(Field.TYPE, Op.GLOB, "c.*"))), "type:a.b,c.*"),
        (And((Not(Or((A, B))), C)), "-(a OR b) c"),
        (Not(Not(A)), "NOT -a"),
        (Compare(Field.RESOURCE, Op.GLOB, "download/a b*"), 'resource:"download/a b"*'),
        (Text("\x1b[31m\u202e"), r'"\u{1b}[31m\u{202e}"'),
        (And((Text("or"), Text("Not"), Text("ands"))), '"or" "Not" ands'),
        (Or(()), "-*"),
    ],
)
def test_a_tree_is_described_as_someone_would_type_it(tree: Node, text: str) -> None:
    assert describe(tree) == text


def _operators(operands: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(operands, min_size=2, max_size=4).map(tuple)
    return st.builds(Not, operands) | st.builds(And, several) | st.builds(Or, several)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12) | st.text(
    "ab*\"\\'-!:=<>~,()|&/@ \n.{", max_size=8
)
PLAIN = st.sampled_from([Field.STATUS, Field.ACTOR_ID, Field.RESOURCE_TYPE, Field.RESOURCE_ID])
GLOBS = TEXTS.filter(lambda text: "*" in text and text.strip("*"))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))
PATTERNS = st.sampled_from(
    ["a", "a/b", r"a\\/b", r"\[x\]", '"', "a|b c", "(?-i)É", "[/]", "x{2},", r"\x{1b}"]
)
PATHS = st.builds(Path, st.lists(TEXTS, min_size=1, max_size=3).map(tuple))
LEAVES: st.SearchStrategy[Node] = st.one_of(
    st.builds(Text, TEXTS),
    st.builds(Exists, st.sampled_from(Field)),
    st.builds(status_is, TEXTS),
    st.builds(Compare, PLAIN, st.just(Op.EQ), TEXTS),
    st.builds(Compare, PLAIN, st.just(Op.GLOB), GLOBS),
    st.builds(Compare, st.sampled_from([Field.TYPE, Field.CATEGORY]), st.just(Op.EQ), TEXTS.map(str.lower)),
    st.builds(Compare, st.sampled_from(sorted(set(Field) - {Field.SEVERITY})), st.just(Op.CONTAINS), TEXTS),
    st.builds(
        Compare,
        st.just(Field.SEVERITY),
        st.sampled_from([Op.EQ, Op.LT, Op.LE, Op.GT, Op.GE]),
        st.sampled_from(["info", "warning", "error"]),
    ),
    st.builds(Exists, PATHS),
    st.builds(Since, MOMENTS) | st.builds(Until, MOMENTS),
    st.timedeltas(timedelta(seconds=1), timedelta(weeks=90)).map(
        lambda span: last(timedelta(seconds=span // timedelta(seconds=1)), NOON)
    ),
    st.builds(Regex, PATTERNS),
    st.builds(Compare, st.just(Field.ACTOR) | PATHS, st.just(Op.REGEX), PATTERNS),
    st.builds(Compare, PATHS, st.sampled_from([Op.EQ, Op.CONTAINS]), TEXTS),
    st.builds(Compare, PATHS, st.just(Op.GLOB), GLOBS),
    st.builds(Compare, PATHS, st.sampled_from([Op.LT, Op.GE]), st.sampled_from(["0", "-1.5e9", "2E-3"])),
    st.builds(equal, st.just(Field.ACTOR), TEXTS.map(lambda text: f"job:{text}" if text else "job")),
    st.builds(equal, st.just(Field.RESOURCE), TEXTS.map(lambda text: f"movie/{text}" if text else "movie")),
    st.builds(equal, st.just(Field.ID), st.uuids().map(str)),
)
TREES = st.just(EVERYTHING) | st.recursive(LEAVES, _operators, max_leaves=8)


@settings(derandomize=True, max_examples=400, deadline=None)
@given(TREES)
def test_a_described_query_is_read_back_as_the_same_tree(tree: Node) -> None:
    text = describe(tree)
    assert text.isprintable()
    assert parse(text, NOON) == tree


@settings(derandomize=True, max_examples=400, deadline=None)
@given(st.text("ab \"*()-!:=<>~,|&/@'\\" + "ornt", max_size=30) | st.text(max_size=30))
def test_any_text_is_read_or_refused_within_its_columns(text: str) -> None:
    result = read_or_refused(text)
    if isinstance(result, QueryError):
        assert 0 <= result.column <= len(text)
        assert str(result)
    else:
        assert parse(describe(result), NOON) == result


def read_or_refused(text: str) -> Node | QueryError:
    try:
        return parse(text, NOON)
    except QueryError as error:
        return error


def test_only_what_last_means_moves_on_with_the_clock() -> None:
    later = NOON + timedelta(minutes=5)
    text = "a -last:15m (since:-2h or last:1h until:-1m)"
    moved, fixed = slid(parse(text, NOON), later), parse(text, NOON)
    assert describe(moved) == describe(fixed)
    assert moved != fixed
    assert moved == And(
        (
            A,
            Not(last(timedelta(minutes=15), later)),
            Or(
                (
                    Since(NOON - timedelta(hours=2)),
                    And((last(timedelta(hours=1), later), Until(NOON - timedelta(minutes=1)))),
                )
            ),
        )
    )


def test_levels_up_to_the_limit_are_read() -> None:
    text = "-(" * QUERY_MAX_LEVELS + "a" + ")" * QUERY_MAX_LEVELS
    tree = parse(text)
    for _ in range(QUERY_MAX_LEVELS):
        assert isinstance(tree, Not)
        tree = tree.operand
    assert tree == A


def test_parentheses_alone_are_no_level() -> None:
    assert parse("(" * 400 + "a" + ")" * 400) == A


def test_neither_lark_nor_sqlalchemy_is_imported_before_a_query_is_read() -> None:
    program = (
        "import sys, store.query as q; q.parse(''); "
        "assert not {'lark', 're2', 'sqlalchemy'} & set(sys.modules), 'imported too early'; "
        "q.parse('a'); assert 'lark' in sys.modules and 're2' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
