"""Reported usage as it comes and as it is answered: our own form, and CloudEvents 1.0 in JSON.

Each item is read by itself, so the body as a whole is described here and validated piece by piece.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.json_schema import models_json_schema

from backend.core.errors import InvalidInput
from backend.core.moment import Moment
from backend.enforcement.api.schemas import Amount
from backend.usage.facts import Fact, Taken, rejected

MOST_EVENTS = 1_000
JSON = "application/json"
CLOUD_EVENT, CLOUD_EVENTS = "application/cloudevents+json", "application/cloudevents-batch+json"
MEDIA = (JSON, CLOUD_EVENT, CLOUD_EVENTS)

Id = Annotated[str, Field(min_length=1, max_length=255)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
AccountName = Annotated[str, Field(min_length=1, max_length=300)]


def _no_bytes(value: Any) -> None:
    """What cannot be read must not count as if nothing were in it."""
    if value is not None:
        raise ValueError("data in base64 is not read; send `data` as JSON")


class EventBody(BaseModel):
    """One amount that was used. `timestamp` is when, from 35 days ago to 5 minutes ahead; without one it is now.

    `amount` counts from 1; of a gauge it is signed, and `operation` set makes it the new level.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Id
    meter: Name
    amount: Amount
    timestamp: Moment | None = None
    account_id: AccountName | None = None
    operation: Literal["add", "set"] = "add"
    properties: dict[str, Any] | None = None


class EventsBody(BaseModel):
    """1 to 1,000 events, of one account or of many."""

    model_config = ConfigDict(extra="forbid")

    events: Annotated[list[EventBody], Field(min_length=1, max_length=MOST_EVENTS)]


class CloudEventData(BaseModel):
    """What was used; the rest of the data is kept as properties."""

    model_config = ConfigDict(extra="allow", strict=True)

    amount: Amount = 1
    operation: Literal["add", "set"] = "add"


class CloudEvent(BaseModel):
    """A CloudEvent 1.0: `type` is the meter, `subject` the account, `time` the timestamp.

    An event is the same where `source` and `id` are; in the other calls its id is `<source>#<id>`.
    """

    model_config = ConfigDict(extra="allow", strict=True)

    specversion: Literal["1.0"]
    id: Annotated[str, Field(min_length=1, max_length=120)]
    source: Annotated[str, Field(min_length=1, max_length=120)]
    type: Name
    subject: AccountName | None = None
    time: Moment | None = None
    datacontenttype: Annotated[str, Field(pattern=r"(?i)^application/json\s*(;.*)?$")] | None = None
    data_base64: Annotated[None, BeforeValidator(_no_bytes)] = None
    data: CloudEventData = CloudEventData()


Reason = Annotated[str, Field(min_length=1, max_length=500)]


class RetractBody(BaseModel):
    """Why it is taken back."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: Reason
    account_id: AccountName | None = None


class CorrectBody(RetractBody):
    """What it really was, and why it is corrected; 0 takes it back. Of a counter it is 0 or more, of a gauge signed."""

    amount: Amount


class CorrectedAnswer(BaseModel):
    """The event before and after. `counted` is what the counter moved by; a counter never falls below nothing."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    meter: str
    amount_before: int
    amount: int
    counted: int


class TakenAnswer(BaseModel):
    """What became of one event. `code` and `detail` say why one is rejected; the others are not affected."""

    id: str | None
    status: Literal["accepted", "duplicate", "rejected"]
    code: str | None = None
    detail: str | None = None


def taken_answer(taken: Taken) -> dict[str, str | None]:
    """A TakenAnswer as plain JSON values: there may be a thousand."""
    error = taken.error
    return {
        "id": taken.id,
        "status": taken.status,
        "code": error.code if error else None,
        "detail": error.detail if error else None,
    }


class EventsAnswer(BaseModel):
    """One answer for each event, in their order."""

    items: list[TakenAnswer]


_PLACE = "#/components/schemas/{model}"
# The bodies for the description of the API; what reads them piece by piece is no model of the framework.
SCHEMAS: dict[str, Any] = models_json_schema(
    [(EventsBody, "validation"), (CloudEvent, "validation")], ref_template=_PLACE
)[1]["$defs"]


def ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _PLACE.format(model=model.__name__)}


_EVENT: TypeAdapter[EventBody] = TypeAdapter(EventBody)
_CLOUD: TypeAdapter[CloudEvent] = TypeAdapter(CloudEvent)


def read_events(media: str, body: Any) -> list[Fact | Taken]:
    """The facts of a body; in the place of one that cannot be read, why. Raises InvalidInput for the body itself."""
    if media == CLOUD_EVENT:
        return [_read(body, _CLOUD, _of_cloud)]
    items = body if media == CLOUD_EVENTS else _events_of(body)
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_EVENTS:
        raise InvalidInput(f"events: a list of 1 to {MOST_EVENTS:,} events is expected.")
    if media == CLOUD_EVENTS:
        return [_read(item, _CLOUD, _of_cloud) for item in items]
    return [_read(item, _EVENT, _of_event) for item in items]


def _events_of(body: Any) -> Any:
    if not isinstance(body, dict) or body.keys() != {"events"}:
        raise InvalidInput('The body is {"events": [...]} and nothing else.')
    return body["events"]


def _read(item: Any, form: TypeAdapter[Any], fact_of: Any) -> Fact | Taken:
    try:
        return fact_of(form.validate_python(item))  # type: ignore[no-any-return]  # one of the two below
    except ValidationError as error:
        given = item.get("id") if isinstance(item, Mapping) else None
        return rejected(given[:255] if isinstance(given, str) else None, InvalidInput(_words(error.errors())))


def _of_event(event: EventBody) -> Fact:
    return Fact(
        event.id, event.meter, event.amount, event.account_id, event.timestamp, event.operation, event.properties
    )


def _escaped(source: str) -> str:
    """Without the sign that ends it: no two pairs of source and id may look alike."""
    return source.replace("%", "%25").replace("#", "%23")


def _of_cloud(event: CloudEvent) -> Fact:
    return Fact(
        id=f"{_escaped(event.source)}#{event.id}",
        meter=event.type,
        amount=event.data.amount,
        account=event.subject,
        timestamp=event.time,
        operation=event.data.operation,
        properties=event.data.model_extra or None,
    )


_SAID = {
    "extra_forbidden": "this field is not known here",
    "missing": "this field is missing",
    "model_type": "an object is expected",
    "dict_type": "an object is expected",
}


def _words(errors: Sequence[Any]) -> str:
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"]) or "event"
    said = _SAID.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    return f"{place}: {said.rstrip('.')}."
