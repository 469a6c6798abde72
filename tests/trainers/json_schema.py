"""Holds the JSON Schema of `mica config schema --json` to the shipped configs and to broken ones.

    python3 json_schema.py path/to/mica path/to/configs
"""
import copy
import glob
import json
import re
import subprocess
import sys

try:
    import jsonschema
    import yaml
except ImportError as error:
    print(f"{error}; jsonschema and PyYAML are needed")
    sys.exit(77)


class Loader(yaml.SafeLoader):
    """YAML 1.2 numbers, as editors read them: 1e-3 is a number, yes is a word."""


CHANGED = ("tag:yaml.org,2002:float", "tag:yaml.org,2002:int", "tag:yaml.org,2002:bool")
Loader.yaml_implicit_resolvers = {
    key: [row for row in rows if row[0] not in CHANGED]
    for key, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(
    CHANGED[0], re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"))
Loader.add_implicit_resolver(CHANGED[2], re.compile(r"^(true|false)$"), list("tf"))

program, folder = sys.argv[1:]
schema = json.loads(subprocess.check_output([program, "config", "schema", "--json"]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
failed = 0
configs = sorted(glob.glob(folder + "/*.yaml"))
assert len(configs) >= 5, folder
for path in configs:
    for error in validator.iter_errors(yaml.load(open(path), Loader)):
        failed += 1
        print(f"{path}: {list(error.path)}: {error.message[:300]}")

good = {"data": {"path": "a.h5"}, "model": ["flatten", {"linear": 3}], "loss": "cross_entropy",
        "optimizer": {"adam": {"lr": 0.1}, "schedule": [{"warmup": 1}, "cosine"]}}
assert validator.is_valid(good)
assert validator.is_valid({"base": "other.yaml", "seed": 3})


def broken(change):
    config = copy.deepcopy(good)
    change(config)
    return not validator.is_valid(config)


assert broken(lambda c: c.update(sede=1))
assert broken(lambda c: c.update(seed=-1))
assert broken(lambda c: c["data"].update(batch_size="64"))
assert broken(lambda c: c["data"].update(batchsize=64))
assert broken(lambda c: c["model"].append("linaer"))
assert broken(lambda c: c["model"].append({"linear": {"outs": 3}}))
assert broken(lambda c: c["model"].append("linear"))  # without its size
assert broken(lambda c: c.update(loss="mean_squared_error"))
assert broken(lambda c: c["optimizer"].update(adam={"lr": "fast"}))
assert broken(lambda c: c.pop("model"))
sys.exit(failed > 0)
