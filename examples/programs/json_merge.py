"""Merge settings over defaults, to any depth."""
import json

defaults = json.loads('{"name": "app", "log": {"level": "info", "targets": ["stdout"]}, "retries": 3, "ratio": 0.25}')
settings = json.loads('{"log": {"level": "debug", "colour": true}, "retries": null, "name": "caf\\u00e9"}')


def merge(base, over):
    if isinstance(base, dict) and isinstance(over, dict):
        return {key: merge(base[key], over[key]) if key in base and key in over else over.get(key, base.get(key))
                for key in base | over}
    return over


merged = merge(defaults, settings)
print(json.dumps(merged, indent=2, sort_keys=True, ensure_ascii=False))
changed = sorted(key for key in merged if merged[key] != defaults.get(key))
