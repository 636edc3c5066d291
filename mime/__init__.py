"""MIME: bytes of a mail to its text, its attachments and its defects. A leaf: it imports nothing of ours."""
