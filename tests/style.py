#!/usr/bin/env python3
"""Counts what a limit cannot hold. Prints one figure a line; with --list, where each of them stands.

    tests/style.py
    tests/style.py --list tuple_parameters
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"


def blanked(text):
    """The text with blanks for comments, texts and characters, line by line as long as it was."""
    out = []
    place = 0
    while place < len(text):
        rest = text[place:]
        found = (
            re.match(r"//[^\n]*", rest)
            or re.match(r"/\*.*?\*/", rest, re.S)
            or re.match(r'b?r(#*)".*?"\1', rest, re.S)
            or re.match(r'b?"(?:\\.|[^"\\])*"', rest, re.S)
            or re.match(r"b?'(?:\\[^\n]+?|[^'\\\n])'", rest)
        )
        if found and not (place and found.group()[0] in "br" and (text[place - 1].isalnum() or text[place - 1] == "_")):
            out.append(re.sub(r"[^\n]", " ", found.group()))
            place += found.end()
        else:
            out.append(text[place])
            place += 1
    return "".join(out)


def closing(text, start, pair):
    """The place behind the bracket that closes the one at `start`."""
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] == pair[0]) - (text[place] == pair[1])
        if depth == 0:
            return place + 1
    return len(text)


def without_tests(code, raw):
    """Both texts with blanks for what is compiled for tests only."""
    for found in list(re.finditer(r"#\[cfg\(test\)\]\s*(?:pub(?:\([a-z]+\))? )?(?:mod|fn|impl|use)\b", code)):
        brace = code.find("{", found.end())
        end = code.find(";", found.end())
        stop = closing(code, brace, "{}") if brace >= 0 and (end < 0 or brace < end) else end + 1
        hidden = re.sub(r"[^\n]", " ", code[found.start() : stop])
        code = code[: found.start()] + hidden + code[stop:]
        raw = raw[: found.start()] + hidden + raw[stop:]
    return code, raw


def top_level_comma(text):
    depth = 0
    for letter in text:
        depth += (letter in "([{<") - (letter in ")]}>")
        if letter == "," and depth == 0:
            return True
    return False


def circles(edges):
    """The sets of files that name each other in a circle: Tarjan's strongly connected components, without recursion."""
    number, low, on_stack, stack, found = {}, {}, set(), [], []
    for root in edges:
        if root in number:
            continue
        work = [(root, iter(sorted(edges[root])))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in number:
                    number[other] = low[other] = len(number)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(sorted(edges.get(other, ())))))
                    break
                if other in on_stack:
                    low[node] = min(low[node], number[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    circle = []
                    while True:
                        other = stack.pop()
                        on_stack.discard(other)
                        circle.append(other)
                        if other == node:
                            break
                    if len(circle) > 1:
                        found.append(sorted(circle))
    return found


def file_of(module, files):
    """The file that a path of modules leads to, as far as it leads."""
    while module:
        for path in ("/".join(module) + ".rs", "/".join(module) + "/mod.rs"):
            if path in files:
                return path
        module = module[:-1]
    return None


def imports(path, code, files):
    """The files of the same top module that a file names with `super::` or `crate::`."""
    own = path[: -len(".rs")].split("/")
    own = own[:-1] if own[-1] == "mod" else own
    found = set()
    for use in re.finditer(r"\b(crate|(?:super::)*super|self)::([a-z_0-9]+(?:::[a-z_0-9]+)*)", code):
        if use.group(1) == "crate":
            base = []
        elif use.group(1) == "self":
            base = own
        else:
            base = own[: len(own) - use.group(1).count("super")]
        other = file_of(base + use.group(2).split("::"), files)
        # The root of a module names its files by declaring them.
        if other and other != path and other.split("/")[0] == own[0] and not other.endswith("mod.rs"):
            found.add(other)
    return found


def main():
    listed = sys.argv[2] if len(sys.argv) > 2 and sys.argv[1] == "--list" else None
    places = defaultdict(list)
    types = defaultdict(list)
    files = {}
    lines = comments = 0
    for file in sorted(SOURCE.rglob("*.rs")):
        path = file.relative_to(SOURCE).as_posix()
        if "tests" in path.replace(".rs", "").split("/"):
            continue
        raw = file.read_text()
        code, raw = without_tests(blanked(raw), raw)
        files[path] = code
        lines += sum(1 for line in code.splitlines() if line.strip())
        comments += sum(1 for line in raw.splitlines() if re.match(r"\s*//(?![/!])", line))
        line_of = lambda place: code.count("\n", 0, place) + 1
        for found in re.finditer(r"\bfn [a-z_0-9]+(?:<[^(]*>)?\(", code):
            end = closing(code, found.end() - 1, "()")
            parameters = code[found.end() : end - 1]
            if re.search(r"(?:^|,)\s*\((?:[^()]|\([^()]*\))*\)\s*:", parameters):
                places["tuple_parameters"].append(f"{path}:{line_of(found.start())}")
        for found in re.finditer(r"\blet \((?=[^=;]*\)\s*(?::[^=;]*)?=\s*\()", code):
            start = code.index("=", closing(code, found.end() - 1, "()"))
            opening = code.index("(", start)
            end = closing(code, opening, "()")
            if top_level_comma(code[opening + 1 : end - 1]) and code[end : end + 1] == ";":
                places["packed_lets"].append(f"{path}:{line_of(found.start())}")
        for found in re.finditer(r"\blet (?:mut )?[a-z_0-9]+ = (?:move )?\|", code):
            places["named_closures"].append(f"{path}:{line_of(found.start())}")
        for found in re.finditer(r"\b(?:struct|enum|trait|type) ([A-Z][A-Za-z0-9]*)", code):
            if not re.search(r"impl[^{};]*\{[^{}]*$", code[: found.start()]) or found.group().startswith("struct"):
                types[found.group(1)].append(f"{path}:{line_of(found.start())}")
    edges = {path: imports(path, code, files) for path, code in files.items()}
    for circle in circles(edges):
        places["circles_of_files"].append(", ".join(circle))
    for name, found in sorted(types.items()):
        if len(found) > 1:
            places["type_names_defined_twice"].append(f"{name}: {', '.join(found)}")
    if listed:
        print("\n".join(places[listed]))
        return
    thousands = lines / 1000
    print(f"code lines, without blanks and comments   {lines}")
    print(f"circles_of_files                          {len(places['circles_of_files'])}")
    print(f"tuple_parameters                          {len(places['tuple_parameters'])}")
    print(f"packed_lets                               {len(places['packed_lets'])}  ({len(places['packed_lets']) / thousands:.1f} per kLoC)")
    print(f"named_closures                            {len(places['named_closures'])}  ({len(places['named_closures']) / thousands:.1f} per kLoC)")
    print(f"type_names_defined_twice                  {len(places['type_names_defined_twice'])}")
    print(f"comments                                  {comments}  ({comments / thousands:.1f} per kLoC)")
    print(f"lines of cli                              {sum(1 for path, code in files.items() if path.startswith('cli/') for line in code.splitlines() if line.strip())}")


main()
