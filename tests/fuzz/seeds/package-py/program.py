import os
name = "foo"
@early()
def version():
    return os.environ.get("V", "1")
with scope("config") as c:
    c.release_packages_path = "/sw"
variants = [[x] for x in ("a", "b")] + [["c"]] * 2
cachable = not False
