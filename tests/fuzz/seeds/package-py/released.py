# -*- coding: utf-8 -*-

name = 'foo'

version = '1.0.0'

description = \
    """
    What it is "for": all.
    """

authors = ['me']

requires = ['python-3.11+<4', '~bar-1']

variants = [
    ['platform-linux', 'arch-x86_64', u'os-CentOS-7'],
    ["platform-windows", '!baz-2'],
]

hashed_variants = True
cachable = True
relocatable = None
timestamp = 1700000000

def commands():
    env.PATH.append('{root}/bin')
    if building:
        env.FOO = f"{this.version}"

format_version = 2
