"""Mapping templates by themselves. What API Gateway prints is as it was seen to."""

import json
from typing import Any

import pytest

from portal.local.aws.vtl import Input, TemplateFailed, compiled

BODY = {"name": "it's", "ok": True, "none": None, "map": {"list": [1, {"a": "é"}]}, "empty": []}
PARAMETERS = {
    "path": {"id": "7", "both": "path"},
    "querystring": {"q": "a b", "both": "query"},
    "header": {"user-agent": "test", "both": "header"},
}


def render(source: str, body: str | None = None, context: dict[str, Any] | None = None) -> str:
    given = Input(json.dumps(BODY) if body is None else body, PARAMETERS)
    variables = {"requestId": "r-1", "identity": {"apiKeyId": "k-1", "user": ""}}
    return compiled(source)(given, variables if context is None else context, {"site": "s.example"})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain {text}: 5 % # $ $5", "plain {text}: 5 % # $ $5"),
        ("$input.json('$.map.list')", '[1,{"a":"é"}]'),
        ("$input.json('$.ok')|$input.json('$.name')", 'true|"it\'s"'),
        ("$input.json('$.nothing')|$input.json('$.none')", '""|""'),
        ("$input.path('$.name')|$input.path('$.ok')", "it's|true"),
        ("$input.path('$.none')|$input.path('$.nothing')|", "||"),
        ("$input.path('$.map')", '{list=[1,{"a":"é"}]}'),
        ("$input.path('$.map.list')", '[1,{"a":"é"}]'),
        ("$input.path('$.map.list[1]')", "{a=é}"),
        ("$input.path('$.empty')|$input.path('$.empty').size()", "[]|0"),
        ("$context.requestId/${context.identity.apiKeyId}", "r-1/k-1"),
        ("$context.no.such.thing|$nobody|${nobody}|$!nobody", "|||"),
        (
            "$stageVariables.site|${stageVariables.site}|$stageVariables.none",
            "s.example|s.example|",
        ),
        (r"\$input.body", "$input.body"),
    ],
)
def test_references_print_as_api_gateway_prints_them(source: str, expected: str) -> None:
    assert render(source) == expected


def test_the_body_is_as_it_came() -> None:
    assert render("$input.body", body='{"a" : 1}') == '{"a" : 1}'
    assert render("$input.body", body="no json") == "no json"
    assert render("$input.body.nothing|", body="no json") == "|"


def test_an_empty_body_is_an_empty_object() -> None:
    assert render("$input.body|$input.json('$')|$input.path('$.a')|", body="") == "{}|{}||"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("$input.params('id')/$input.params('q')/$input.params('User-Agent')", "7/a b/test"),
        ("$input.params('both')", "path"),
        ("$input.params('nobody')|", "|"),
        ("$input.params().header.get('User-Agent')", "test"),
        ("$input.params().querystring.q|$input.params('querystring')", "a b|"),
        (
            "#set($all = $input.params())#foreach($place in $all.keySet())$place:"
            "#foreach($name in $all.get($place).keySet())$name#if($foreach.hasNext),#end#end;#end",
            "path:id,both;querystring:q,both;header:user-agent,both;",
        ),
    ],
)
def test_parameters_are_found_in_path_then_query_then_headers(source: str, expected: str) -> None:
    assert render(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("$util.escapeJavaScript($input.json('$.name'))", r"\"it\'s\""),
        (r"$util.escapeJavaScript($input.body)", r"\\ \n \u00e9 \u0001 / \""),
        ("$util.urlEncode('a b&c=d~é*-._')", "a+b%26c%3Dd%7E%C3%A9*-._"),
        ("$util.urlDecode('a+b%26')", "a b&"),
        ("$util.base64Encode('é')|$util.base64Decode('w6k=')", "w6k=|é"),
        ("""#set($o = $util.parseJson('{"a": {"b": [1, 2]}}'))$o.a.b[1] $o.a.b.size()""", "2 2"),
    ],
)
def test_util(source: str, expected: str) -> None:
    body = '\\ \n é \u0001 / "' if "input.body" in source else None
    assert render(source, body=body) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("#set($root = $input.path('$'))$root.map.list[1].a|$root.no.such", "é|"),
        ("#set($n = $input.path('$.none'))#if($n == $null)null#{else}$n#end", "null"),
        ("#if($input.path('$.none') == '' && $nobody == '' && '' == $null)empty#end", "empty"),
        ("#if($input.path('$.none') != '' || $input.path('$.ok') == '')full#end", ""),
        ("#set($a-b = 7)$a-b|$a|${a-b}-c", "7||7-c"),
        ("#foreach($each in $input.path('$.map.list'))$foreach.index=$each;#end", "0=1;1={a=é};"),
        ("#foreach($each in $input.path('$.nothing'))never#end", ""),
        ("#foreach($each in $input.path('$').items)never#end", ""),
        ("#foreach($pair in $input.path('$.map').entrySet())$pair.key#end", "list"),
        ("#if($input.path('$.ok') && !$input.path('$.none'))yes#{else}no#end", "yes"),
        ("#if($context.identity.apiKeyId == 'k-1')mine#elseif(true)other#end", "mine"),
        ("#set($text = \"<$input.params('id')>\")$text", "<7>"),
        ("#set($literal = '$input.body')$literal", "$input.body"),
        ("#set($sum = 1 + 2)$sum|$sum.nothing", "3|"),
        ("## a comment\n#* another *#text", "text"),
        ("#macro(bold $what)<b>$what</b>#end#bold('x')", "<b>x</b>"),
        ("#set($map = {})#set($_ = $map.put('a', 1))$map.a", "1"),
        ("#set($map = $input.path('$.map'))#set($map.more = 'x')$map.more", "x"),
    ],
)
def test_directives(source: str, expected: str) -> None:
    assert render(source) == expected


def test_overrides_are_left_in_the_context() -> None:
    context: dict[str, Any] = {}
    source = (
        "#set($context.requestOverride.header.kind = $input.params('id'))"
        "#set($context.requestOverride.path.name = 'n')"
        "#set($context.responseOverride.status = 404)"
        "#set($context.responseOverride.header.X-Kind = 'k')sent"
    )
    assert render(source, context=context) == "sent"
    assert context["requestOverride"] == {
        "header": {"kind": "7"},
        "path": {"name": "n"},
        "querystring": {},
    }
    assert context["responseOverride"] == {"header": {"X-Kind": "k"}, "status": 404}


@pytest.mark.parametrize("source", ["#set($context = )", "#foreach($x)#end", "#if($a == )#end"])
def test_what_cannot_be_read_is_refused_at_once(source: str) -> None:
    with pytest.raises(TemplateFailed):
        compiled(source)


@pytest.mark.parametrize(
    "source",
    [
        "$util.parseJson('no json')",
        "$util.base64Decode('no base64')",
        "$input.path('no path')",
        "$input.json('$..deep')",
        "#set($nobody.name = 1)",
    ],
)
def test_what_fails_as_it_runs_says_so(source: str) -> None:
    template = compiled(source)
    with pytest.raises(TemplateFailed):
        template(Input("{}", PARAMETERS), {}, {})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.map.list[*].a", '["é"]'),
        ("$['map']['list'][0]", "1"),
        ('$["map"].list[-1].a', '"é"'),
        ("$.map.*", '[[1,{"a":"é"}]]'),
        ("$.map.list[9]", '""'),
        ("$.name.no", '""'),
    ],
)
def test_json_paths(path: str, expected: str) -> None:
    quoted = f"'{path}'" if "'" not in path else f'"{path}"'
    assert render(f"$input.json({quoted})") == expected
