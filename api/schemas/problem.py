"""JSON shape of an error: a problem of RFC 9457."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class FieldProblem(BaseModel):
    """One invalid field of a request: where it is (`body.limit`) and what is wrong with it."""

    model_config = ConfigDict(frozen=True)

    where: str
    message: str


class Problem(BaseModel):
    """An error. `type` names its kind for machines, `detail` says for people what is wrong, `request` is the id under
    which the server's log has it; `errors` are the fields that are at fault, where fields are."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:afterimage:asset-not-found",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "no asset '3f2a'",
                    "request": "6f1c0c9a5b7e4d02",
                    "errors": [],
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    request: str
    errors: list[FieldProblem] = []
