"""Makes the generated requests obey the rules that JSON Schema has no words for: no two files of a request have the same
path, nor one that of another's folder; a path is measured in bytes; content that is called base64 is base64. Requests that
are meant to be refused stay as they are."""

import base64

import schemathesis

LONGEST_PART, LONGEST_PATH = 255, 1024


@schemathesis.hook
def before_call(context, case, kwargs):
    meant_to_be_taken = case.meta is not None and case.meta.generation.mode.is_positive
    if not meant_to_be_taken or not isinstance(case.body, dict):
        return
    for number, file in enumerate(case.body.get("files", [])):
        file["path"] = f"{number}/{file['path']}"
        parts = [len(part.encode()) for part in file["path"].split("/")]
        if max(parts) > LONGEST_PART or sum(parts) + len(parts) > LONGEST_PATH:
            file["path"] = str(number)
        if file.get("encoding") == "base64":
            file["content"] = base64.b64encode(file["content"].encode()).decode()
