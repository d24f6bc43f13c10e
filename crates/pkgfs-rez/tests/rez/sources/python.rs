//! Texts of `package.py`.

use super::requirement;
use crate::dice::Dice;

/// Statements that leave the answer to rez, most of them touching what decides.
pub(crate) const CODE: [&str; 62] = [
    "import os",
    "import os.path as variants",
    "from os import path",
    "from os.path import *",
    "from __future__ import annotations",
    "if True:\n    cachable = False",
    "if False:\n    cachable = False\nelse:\n    cachable = True",
    "for cachable in [True, False]:\n    pass",
    "while not globals().get('done'):\n    done = True",
    "with scope('config') as c:\n    c.local_packages_path = '/elsewhere'",
    "with scope('cachable') as c:\n    c.x = 1",
    "try:\n    cachable = True\nfinally:\n    pass",
    "class cachable:\n    pass",
    "class Other(object):\n    x = 1",
    "authors = ['a']\nauthors += ['b']",
    "variants = []\nvariants += [['foo-1']]",
    "cachable = True\ndel cachable",
    "a = 1\ndel a",
    "assert True",
    "cachable: bool = True",
    "cachable: bool",
    "def cachable():\n    return True",
    "@early()\ndef cachable():\n    return True",
    "@early()\ndef variants():\n    return [['foo-1']]",
    "@early()\ndef requires():\n    return []",
    "@late()\ndef cachable():\n    return True",
    "@late()\ndef relocatable():\n    return False",
    "@include('x')\ndef variants():\n    return [['foo-1']]",
    "@late\ndef tools():\n    return []",
    "@late()\ndef commands():\n    pass",
    "@late()\n@early()\ndef requires():\n    return []",
    "@staticmethod\ndef helper():\n    pass",
    "async def helper():\n    pass",
    "def helper(a=globals().update(cachable=True)):\n    pass",
    "def helper(a: globals().update(cachable=True)):\n    pass",
    "def helper() -> globals().update(cachable=True):\n    pass",
    "exec('cachable = True')",
    "exec('variants = [[\"foo-1\"]]')",
    "eval('1')",
    "print('loading')",
    "globals()['cachable'] = True",
    "(cachable := True)",
    "authors = [cachable := True]",
    "variants = [[name] for name in ['foo-1', 'foo-2']]",
    "variants = [['foo-%d' % n] for n in (1, 2)]",
    "variants = [['foo-1']] * 2",
    "variants = [['foo-1']] + [['foo-2']]",
    "variants = list([['foo-1']])",
    "variants = [[f'foo-{1}']]",
    "variants = [*[['foo-1']]]",
    "one = ['foo-1']\nvariants = [one]",
    "one = [['foo-1']]\nvariants = one\none.append(['foo-2'])",
    "cachable = not False",
    "cachable = 1 == 1",
    "cachable = True if True else False",
    "cachable, relocatable = True, False",
    "[cachable, relocatable] = [True, False]",
    "*variants, = [['foo-1']]",
    "variants = [['foo-1']]\nvariants[0] = ['foo-2']",
    "variants = [['foo-1']]\nvariants.append(['foo-2'])",
    "config = {'local_packages_path': '/elsewhere'}",
    "_redirected_base = '/elsewhere'",
];

/// What neither decides nor stands in the way, or is the same for rez: literals of every kind.
const NOISE: [&str; 46] = [
    "# a comment",
    "",
    "\"\"\"A docstring.\"\"\"",
    "'text' \"and more\"",
    "pass",
    "1",
    "...",
    "requires = ['foo-1', 'bar']",
    "requires = []",
    "private_build_requires = ['cmake-3+',]",
    "description = \"\"\"\nSeveral lines: cachable = True\n\"\"\"",
    "description = r'raw \\n'",
    "description = u'unicode \\u00e9 \\x41 \\U0001f600'",
    "description = 'tab\\tnewline\\nquote\\''",
    "authors = ['Jos\u{e9}', \"O'Neill\"]",
    "tools = ['a', 'b'] # cachable = True",
    "uuid = '0d5b2b2c'",
    "help = [['one', 'two'], ['three', 'four']]",
    "tests = {'unit': {'command': 'pytest', 'requires': ['pytest-7']}}",
    "tests = {'a': 'b', 'c': ['d']}",
    "build_command = False",
    "build_command = 'python {root}/build.py'",
    "revision = {'url': None, 'n': 1, 't': (1, 2.5), 's': {1, 2}}",
    "table = {1: 'a', (2, 'b'): [3]}",
    "number = -1",
    "number = +0x1F_ff",
    "number = 1.5e-3j",
    "data = b'bytes\\xff'",
    "nested = [[[[[[['deep']]]]]], {}, (), []]",
    "format_version = 2",
    "base = '/elsewhere'",
    "path = root = '/elsewhere'",
    "location = 'x'; index = 3",
    "private_ = True",
    "_private = None",
    "has_plugins = True",
    "vcs = 'git'",
    "def commands():\n    env.PATH.append('{root}/bin')",
    "def commands():\n\tcachable = True\n\tglobal variants\n\tvariants = 1",
    "def pre_commands():\n    import os\n    if os.name:\n        alias('a', 'b')",
    "def post_commands(): pass",
    "def preprocess(this, data):\n    data['cachable'] = True",
    "def helper(a, /, b, *c, d, **e):\n    '''doc'''\n    return [a for a in b]",
    "@late()\ndef tools():\n    return ['x']",
    "@include('module')\ndef pre_build_commands():\n    pass",
    "@late()\n@include('module')\ndef help():\n    return 'x'",
];

const WRONG: [&str; 14] = [
    "variants = None",
    "variants = (('foo-1',),)",
    "variants = [('foo-1',)]",
    "variants = 'foo-1'",
    "variants = ['foo-1']",
    "variants = [[1]]",
    "variants = {}",
    "hashed_variants = None",
    "hashed_variants = 1",
    "cachable = 0",
    "cachable = 'no'",
    "relocatable = []",
    "relocatable = ...",
    "revision = {[]: 1}",
];

fn python_string(dice: &mut Dice, text: &str) -> String {
    match dice.roll(9) {
        0 => format!("\"{text}\""),
        1 => format!("'''{text}'''"),
        2 => format!("\"\"\"{text}\"\"\""),
        3 => format!("r'{text}'"),
        4 => format!("u\"{text}\""),
        5 => format!("({text:?})"),
        6 => text.char_indices().nth(1).map_or_else(
            || format!("'{text}'"),
            |(at, _)| format!("('{}' \"{}\")", &text[..at], &text[at..]),
        ),
        7 => format!("'{}'", text.replace('o', "\\x6f").replace('-', "\\u002d")),
        _ => format!("'{text}'"),
    }
}

fn list(dice: &mut Dice, items: &[String]) -> String {
    let trailing = if items.is_empty() || dice.once_in(2) { "" } else { "," };
    match dice.roll(3) {
        0 => format!("[\n    {}{trailing}\n]", items.join(",  # why\n    ")),
        1 => format!("[ {}{trailing} ]", items.join(" ,")),
        _ => format!("[{}{trailing}]", items.join(", ")),
    }
}

fn python_variants(dice: &mut Dice) -> String {
    let variants: Vec<_> = (0..dice.roll(4))
        .map(|_| {
            let requirements: Vec<_> = (0..dice.roll(4))
                .map(|_| {
                    let text = requirement(dice);
                    python_string(dice, text)
                })
                .collect();
            list(dice, &requirements)
        })
        .collect();
    list(dice, &variants)
}

fn deciding(dice: &mut Dice) -> String {
    let flag = dice.pick(&["True", "False"]).to_owned();
    let tristate = dice.pick(&["True", "False", "None", "(True)"]).to_owned();
    match dice.roll(11) {
        0..=2 => format!("variants = {}", python_variants(dice)),
        3 => format!("hashed_variants = {flag}"),
        4 | 5 => format!("cachable = {tristate}"),
        6 => format!("relocatable = {tristate}"),
        7 => format!("cachable = relocatable = {tristate}"),
        8 => format!("name = {}", python_string(dice, "a_name")),
        9 => format!("version = {}; timestamp = 1{}", python_string(dice, "1.0"), dice.roll(999)),
        _ => format!("hashed_variants \\\n  = {flag}"),
    }
}

/// The text of a `package.py`; whether it holds nothing but literals and functions; and is right.
pub(crate) fn python(dice: &mut Dice) -> (String, bool) {
    let mut statements: Vec<String> = (0..dice.roll(6)).map(|_| deciding(dice)).collect();
    statements.extend((0..dice.roll(6)).map(|_| dice.pick(&NOISE).to_owned()));
    let mut literal = true;
    if dice.once_in(8) {
        statements.push(dice.pick(&WRONG).to_owned());
    }
    if dice.once_in(4) {
        statements.push(dice.pick(&CODE).to_owned());
        literal = false;
    }
    dice.shuffle(&mut statements);
    let mut text = statements.join(dice.pick(&["\n", "\n", "\n\n", "\n# --\n", "\n\x0c\n"]));
    text.push_str(dice.pick(&["\n", "\n", "", "\n\n", "  \n# end"]));
    if dice.once_in(20) {
        text.push_str("\\\n");
        literal = false;
    }
    match dice.roll(14) {
        0 => text = text.replace('\n', "\r\n"),
        1 => text.insert(0, '\u{feff}'),
        2 => text.insert_str(0, "# -*- coding: utf-8 -*-\n"),
        3 => {
            text.insert_str(0, "#!/usr/bin/env python\n# vim: set fileencoding=latin-1 :\n");
            literal = false;
        }
        4 => {
            text.insert_str(0, "from __future__ import print_function\n");
            literal = false;
        }
        _ => {}
    }
    (text, literal)
}
