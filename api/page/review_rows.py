"""Review items as texts for a screen. Pure: equal rows need not be drawn again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from api.page.rows import UNREADABLE, characters, percent, sentence, spaced, yuan
from wallet.command_facts import Rejected, Reviewed
from wallet.facts import Match
from wallet.review_facts import Action, QueueRow, ReviewItem, Score

KINDS = {
    "sighting": "识别存疑 Doubtful car",
    "sale_without_visit": "无车加油 Sale without a car",
    "another_car_at_pump": "换车 Another car came",
    "cars_at_one_pump": "两车同枪 Two cars, one pump",
    "amount_above_hold": "余额不足 Above the balance",
    "payment_refused": "异常入账 Payment refused",
    "wrong_debit": "扣款有误 Wrong debit",
    "outside_limits": "超出限额 Outside limits",
    "not_me": "非本人 Not me",
    "clone_suspected": "疑似套牌 Clone suspected",
}
ACTIONS: dict[Action, str] = {
    "confirm": "确认 Confirm",
    "correct": "更正 Correct",
    "reject": "驳回 Reject",
    "reverse": "退款 Reverse",
}
KEYS: dict[str, Action] = {"1": "confirm", "2": "correct", "3": "reject", "r": "reverse", "R": "reverse"}
ENDS = {
    "visit_opened": "已开通并预授权 visit opened",
    "stay_joined": "并入同一停留 joined its stay",
    "sale_settled": "已扣款 sale settled",
    "nothing_to_take": "车已离场，无需扣款 nothing to take",
    "nobodys_plate": "非客户车牌 nobody's plate",
    "rejected": "已驳回 rejected",
    "reversed": "已全额退回 money given back",
    "settled_elsewhere": "已随另一条处理 settled elsewhere",
}
REJECTIONS = {
    "already_decided": "已由他人处理",
    "already_answered": "您已答复，须由另一人处理",
    "insufficient_balance": "余额不足",
    "no_evidence": "没有车辆照片为证",
    "already_reversed": "款项已退回，只退一次",
    "not_registered": "车牌未登记",
    "same_plate": "与建议车牌相同，请直接确认",
    "stay_has_paid": "该次停留已付款",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the queue. due_at is drawn as what is left of it."""

    review_id: str
    kind: str
    place: str
    plate: str
    colour: str
    is_readable: bool
    suggestion: str
    runner_up: str
    margin: str
    amount: str
    crop: str | None
    answers_in: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Sheet:
    """One item in full. sums: the sum behind the decision as sentences; facts: pairs of label and value."""

    line: Line
    allowed: tuple[Action, ...]
    people_needed: int
    frame: str | None
    gallery: tuple[str, ...]
    suggested: str
    suggested_plate: str | None
    positions: list[list[tuple[str, str, int]]]
    candidates: tuple[tuple[str, str, str], ...]
    reasons: tuple[str, ...]
    sums: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    answers: tuple[str, ...]
    end: str


def to_line(row: QueueRow) -> Line:
    """A row of the queue as texts."""
    review = row.review
    where = [part for part in (review.station, row.camera) if part]
    if row.pump:
        where.append(f"{row.pump} 号枪")
    nothing_read = UNREADABLE if review.sighting_id else "—"
    return Line(
        review_id=review.id,
        kind=KINDS.get(review.kind, review.kind.replace("_", " ")),
        place=" · ".join(where) or "—",
        plate=spaced(row.text) if row.text else nothing_read,
        colour=row.colour or "blue",
        is_readable=row.text is not None,
        suggestion=spaced(row.suggestion) if row.suggestion else "—",
        runner_up=spaced(row.runner_up) if row.runner_up else "—",
        margin=percent(row.margin_ppm) if row.suggestion and row.margin_ppm > 0 else "—",
        amount=yuan(review.amount_fen),
        crop=row.evidence_crop,
        answers_in=row.answers_in,
        due_at=row.due_at,
    )


def to_sheet(item: ReviewItem, zone: tzinfo) -> Sheet:
    """An item in full as texts."""
    seen, match, row = item.sighting, item.match, item.row
    return Sheet(
        line=to_line(row),
        allowed=item.allowed,
        people_needed=item.people_needed,
        frame=seen.evidence_frame if seen else None,
        gallery=item.gallery,
        suggested=spaced(row.suggestion) if row.suggestion else "—",
        suggested_plate=row.suggestion,
        positions=characters(seen.positions) if seen else [],
        candidates=tuple((plate, spaced(plate), percent(ppm)) for plate, ppm in item.candidates[:4] if ppm),
        reasons=tuple(sentence(reason) for reason in row.review.reasons),
        sums=_sums(item, match),
        facts=_facts(item, zone),
        answers=tuple(
            f"{one.answered_by}: {ACTIONS[one.given.action]}"
            + (f" {spaced(one.given.plate)}" if one.given.plate else "")
            + (f" · {one.given.reason}" if one.given.reason else "")
            for one in item.answers
        ),
        end=ENDS.get(item.end.ended_as, item.end.ended_as) if item.end else "",
    )


def _sums(item: ReviewItem, match: Match | None) -> tuple[str, ...]:
    if match is None or match.plate is None:
        return ()
    stake = f"({yuan(match.amount_fen)} + 争议成本 dispute {yuan(item.dispute_cost_fen)})"
    compared = ">" if match.expected_loss_fen > item.review_cost_fen else "≤"
    lines = [
        f"错配概率 Chance of a wrong account {percent(match.wrong_ppm)} × {stake}",
        f"= 预期损失 expected loss {yuan(match.expected_loss_fen)} {compared} "
        f"复核成本 review {yuan(item.review_cost_fen)}",
    ]
    if match.runner_up:
        margin = item.row.margin_ppm
        lines.append(
            f"次选 Runner-up {spaced(match.runner_up)} {percent(match.runner_up_ppm)} · "
            f"领先 margin {percent(margin) if margin > 0 else '—'}"
        )
    return tuple(lines)


def _facts(item: ReviewItem, zone: tzinfo) -> tuple[tuple[str, str], ...]:
    seen, sale, visit, review = item.sighting, item.sale, item.visit, item.row.review

    def moment(time: datetime) -> str:
        return f"{time.astimezone(zone):%m-%d %H:%M:%S}"

    facts = [("地点 Place", item.row.review.station or "—"), ("金额 Amount", yuan(review.amount_fen))]
    if seen is not None:
        facts.append(("看到 Seen", f"{moment(seen.first_seen_at)} – {moment(seen.last_seen_at)}"))
        facts.append(("有效读数 Looks", str(seen.looks)))
        facts.append(("可信度 Confidence", percent(1_000_000 - seen.wrong_ppm) if seen.text else "—"))
    if sale is not None:
        facts.append(("加油 Sale", f"{yuan(sale.amount_fen)} · {sale.grade} · {sale.pump} 号枪"))
        facts.append(("加油时间 Sold", f"{moment(sale.started_at)} – {moment(sale.ended_at)}"))
    if visit is not None:
        facts.append(("停留 Visit", f"{spaced(visit.plate)} · {visit.state} · {yuan(visit.captured_fen)}"))
    facts.append(("编号 Id", review.id))
    return tuple(facts)


def time_left(due_at: datetime, now: datetime) -> str:
    """How long until it is due: "1:25", "2 h 05", or how long it is overdue."""
    left = due_at - now
    late = left < timedelta(0)
    seconds = abs(left) // timedelta(seconds=1)
    text = f"{seconds // 60}:{seconds % 60:02d}"
    if seconds >= 3600:
        text = f"{seconds // 3600} h {seconds % 3600 // 60:02d}"
    if seconds >= 172_800:
        text = f"{seconds // 86_400} d"
    return f"逾期 {text}" if late else text


def outcome(done: Reviewed | Rejected) -> tuple[str, bool]:
    """What an answer came to, for a notice; and whether it was taken."""
    if isinstance(done, Rejected):
        words = REJECTIONS.get(done.code)
        return (f"{words} · {done.text}" if words else done.text), False
    if done.state == "waiting":
        return "已记录，等待第二人复核 Kept; a second person must answer", True
    if done.state == "disputed":
        return "意见不一致，须再有一人 You differ; a further person must answer", True
    if done.state == "known":
        right = "回答正确 right" if done.is_right else "回答错误 wrong"
        return f"这是一道已知题，{right}: it was a known case", True
    text = ENDS.get(done.ended_as or "", done.ended_as or "")
    money = f" · {yuan(done.moved_fen or done.hold_fen)}" if done.moved_fen or done.hold_fen else ""
    return f"{text}{money}", True


def score_words(score: Score, low_ppm: int | None, high_ppm: int | None) -> tuple[str, ...]:
    """Name, right, wrong, share with its interval, items answered."""
    share = "—"
    judged = score.right + score.wrong
    if judged and low_ppm is not None and high_ppm is not None:
        of_all = percent(score.right * 1_000_000 // judged)
        share = f"{of_all} ({percent(low_ppm)} – {percent(high_ppm)})"
    return (score.reviewer, str(score.right), str(score.wrong), share, str(score.answered))
