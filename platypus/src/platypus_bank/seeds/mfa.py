"""What a bank asks after the password, as the password says.

https://plaid.com/docs/sandbox/test-credentials/
"""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from platypus_bank.errors import InvalidMfa

Kind = Literal["device", "code", "questions", "selections"]
CODE = "1234"
_QUESTIONS = re.compile(r"mfa_questions_(\d)_(\d)")
_SELECTIONS = re.compile(r"mfa_selections_(\d)_(\d)_(\d)")


class Question(Struct, frozen=True):
    """One question; with `options`, one of them is ticked. Without an answer, any will do."""

    text: str
    answer: str | None = None
    options: tuple[str, ...] = ()


class Round(Struct, frozen=True):
    """What is asked on one pane."""

    kind: Kind
    questions: tuple[Question, ...]

    def check(self, answers: list[str]) -> None:
        """Raise InvalidMfa unless every answer is right."""
        if len(answers) != len(self.questions):
            raise InvalidMfa
        for question, answer in zip(self.questions, answers, strict=True):
            right = question.options if question.answer is None else (question.answer,)
            if answer.strip() not in right:
                raise InvalidMfa


_Count = Annotated[int, Meta(ge=0, le=9)]


class _Mfa(Struct):
    type: Literal["device", "questions", "selections"] | None = None
    question_rounds: _Count = 1
    questions_per_round: _Count = 1
    selection_rounds: _Count = 1
    selections_per_question: _Count = 2


class _Person(Struct):
    mfa: _Mfa | None = None


def rounds(password: str) -> list[Round]:
    """Return what has to be answered, round by round: nothing, for most passwords.

    Questions and rounds count from 0, as in Plaid's `answer_<i>_<j>`.
    """
    if password.startswith("{"):
        return _of_custom_user(password)
    if password == "mfa_device":  # noqa: S105 - Plaid's documented test password
        return _device()
    if password == "mfa_selections":  # noqa: S105 - as above
        yes_or_no = Question("Is this you?", "Yes", ("Yes", "No"))
        return [Round("selections", (yes_or_no,))]
    if found := _QUESTIONS.fullmatch(password):
        return _questions(int(found[1]), int(found[2]))
    if found := _SELECTIONS.fullmatch(password):
        return _selections(int(found[1]), int(found[2]), int(found[3]))
    return []


def _device() -> list[Round]:
    ways = ("Text message to xxx-xxx-5309", "Email to p******s@example.com")
    choice = Question("Where should the bank send a code?", None, ways)
    return [Round("device", (choice,)), Round("code", (Question("Code", CODE),))]


def _questions(count: int, each: int) -> list[Round]:
    return [
        Round(
            "questions",
            tuple(Question(f"Question {i}-{j}", f"answer_{i}_{j}") for j in range(each)),
        )
        for i in range(count)
    ]


def _selections(count: int, each: int, options: int) -> list[Round]:
    return [
        Round("selections", tuple(_selection(i, j, options) for j in range(each)))
        for i in range(count)
    ]


def _selection(i: int, j: int, options: int) -> Question:
    answers = tuple(f"answer_{i}_{j}_{k}" for k in range(options))
    return Question(f"Question {i}-{j}", answers[0] if answers else None, answers)


def _of_custom_user(text: str) -> list[Round]:
    try:
        asked = msgspec.json.decode(text, type=_Person).mfa or _Mfa()
    except (msgspec.DecodeError, msgspec.ValidationError):
        return []  # whoever reads the accounts says what is wrong with it
    if asked.type == "device":
        return _device()
    if asked.type == "questions":
        return _questions(asked.question_rounds, asked.questions_per_round)
    if asked.type == "selections":
        return _selections(asked.selection_rounds, 1, asked.selections_per_question)
    return []
