"""What an operator may take away as proof: the dispute pack of a visit, and the key it is checked with."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from api.deps import Parts, TheOperator, ThePurpose, get_operator
from api.dispute.gather import make_pack
from api.refusals import OPERATOR, refusals
from api.schemas.evidence import EvidenceReadsAnswer, EvidenceReadView, SigningKeyAnswer
from wallet.errors import VisitUnknown

router = APIRouter(prefix="/v1", tags=["evidence"])


@router.get(
    "/visits/{visit_id}/dispute",
    response_class=Response,
    responses={
        200: {
            "description": "The pack",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        },
        **refusals(*OPERATOR, VisitUnknown),
    },
)
def get_dispute(
    visit_id: Annotated[str, Path(max_length=64, examples=["019aa6f2-8d9b-7e02-8c1d-5c2f7ad0e911"])],
    services: Parts,
    operator: TheOperator,
    purpose: ThePurpose = "dispute",
    whole: Annotated[bool, Query(description="Pictures as they were taken, other cars too")] = False,
) -> Response:
    """All that is known of a stay, signed; who took it, and why, is kept."""
    found = services.wallet.proof.dispute(visit_id)
    now = services.clock()
    services.access.record_read(
        "dispute_pack", visit_id, purpose, operator.operator_name, now, operator.operator_id
    )
    pack = make_pack(found, services.evidence, services.signer, now, whole=whole)
    headers = {
        "Content-Disposition": f'attachment; filename="visit-{visit_id}.zip"',
        "Cache-Control": "no-store",
    }
    return Response(pack, media_type="application/zip", headers=headers)


@router.get("/signing-key", responses=refusals())
def get_signing_key(services: Parts) -> SigningKeyAnswer:
    """The public key of dispute packs; anybody may have it."""
    return SigningKeyAnswer(algorithm="Ed25519", public_key=services.signer.public_key)


@router.get("/evidence-reads", dependencies=[Depends(get_operator)], responses=refusals(*OPERATOR))
def list_reads(
    services: Parts,
    subject: Annotated[str | None, Query(max_length=64, description="A picture's hash, or an id")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> EvidenceReadsAnswer:
    """Who looked at what evidence and why, newest first."""
    found = services.access.reads(subject, limit)
    return EvidenceReadsAnswer(
        reads=[
            EvidenceReadView(
                actor=read.actor,
                kind=read.kind,
                subject=read.subject,
                purpose=read.purpose,
                read_at=read.read_at,
            )
            for read in found
        ]
    )
