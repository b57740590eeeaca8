"""Pictures that go with a message: made small, kept as files, counted as models count them."""

import hashlib
import uuid
from collections.abc import Sequence
from io import BytesIO
from math import ceil
from typing import TYPE_CHECKING, Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from agents.exceptions import InvalidInput
from agents.models import Agent, Message

if TYPE_CHECKING:
    from PIL import Image

MOST_PICTURES = 4  # of a message
MOST_BYTES = 20_000_000  # of a picture as it is sent
MOST_PIXELS = 40_000_000
MOST_KEPT = 3_500_000  # bytes
LONGEST_SIDE = 1568  # pixels, of what is kept; larger ones are made small by the services too
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
FOLDER = "documents/pictures"  # where backups look for files
# As OpenAI counts those of gpt-4o: so many for a picture, and for each square of 512 once its shorter side is 768.
TOKENS, TOKENS_OF_SQUARE = 85, 170
SHORTER_SIDE, SQUARE = 768, 512

Picture = dict[str, Any]


def pictures_keep(files: "Sequence[File[bytes]]", *, seen: bool) -> list[Picture]:
    """Store them; gives what a message knows of each (`Message.pictures`). `seen` says whether the model
    that answers takes pictures. Raises InvalidInput, and stores nothing then."""
    if len(files) > MOST_PICTURES:
        raise InvalidInput(_("At most %(most)d pictures go with a message.") % {"most": MOST_PICTURES})
    made = [_made_small(file) for file in files]
    return [
        {
            "file": default_storage.save(f"{FOLDER}/{uuid.uuid4().hex}.{kind}", ContentFile(content)),
            "sha256": hashlib.sha256(content).hexdigest(),
            "kind": f"image/{kind}",
            "width": width,
            "height": height,
            "tokens": tokens_of(width, height) if seen else 0,
            "seen": seen,
        }
        for content, kind, width, height in made
    ]


def pictures_drop(pictures: Sequence[Picture]) -> None:
    """Their files, unless another message has them too: that of a copied agent."""
    for picture in pictures:
        having = Message.objects.exclude(pictures=[]).filter(pictures__contains=[{"file": picture["file"]}])
        if not having.exists():
            default_storage.delete(picture["file"])


def pictures_of(agent: Agent) -> list[Picture]:
    """All of an agent's messages."""
    rows = agent.messages.exclude(pictures=[]).values_list("pictures", flat=True)
    return [picture for pictures in rows for picture in pictures]


def tokens_of(width: int, height: int) -> int:
    """What a picture of so many pixels costs, about."""
    shrink = min(1.0, SHORTER_SIDE / min(width, height))
    squares = ceil(width * shrink / SQUARE) * ceil(height * shrink / SQUARE)
    return TOKENS + TOKENS_OF_SQUARE * squares


def _made_small(file: "File[bytes]") -> tuple[bytes, str, int, int]:
    """Content, kind, width and height of a picture without what else was in the file: a place, a camera's number."""
    from PIL import Image, ImageOps  # here: few processes need it

    name = {"name": file.name or ""}
    if file.size > MOST_BYTES:
        raise InvalidInput(_("“%(name)s” is too large: a picture has at most 20 MB.") % name)
    try:
        with Image.open(file, formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise InvalidInput(_("“%(name)s” has too many pixels. Make it smaller first.") % name)
            picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            clear = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
            if picture.mode in ("RGB", "RGBA", "L", "LA"):  # small first: each step takes as much memory again
                picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            small = ImageOps.exif_transpose(picture).convert("RGBA" if clear else "RGB")
    except InvalidInput:
        raise
    except Exception as error:
        raise InvalidInput(_("“%(name)s” is no picture that can be read: PNG, JPEG, WebP or GIF.") % name) from error
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    kind = "png" if clear else "jpeg"
    content = _saved(small, kind)
    if len(content) > MOST_KEPT:  # servers refuse larger ones
        white = Image.new("RGBA", small.size, "white")
        content, kind = _saved(Image.alpha_composite(white, small.convert("RGBA")).convert("RGB"), "jpeg"), "jpeg"
    return content, kind, *small.size


def _saved(picture: "Image.Image", kind: str) -> bytes:
    content = BytesIO()
    picture.save(content, kind.upper(), quality=85)
    return content.getvalue()
