"""Judges the messages in golden files by slack_sdk's own models.

Usage: check_blocks.py FILE.json...
"""
import json
import sys

from slack_sdk.models.attachments import BlockAttachment
from slack_sdk.models.blocks import Block, ContextBlock, SectionBlock
from slack_sdk.models.blocks.basic_components import MarkdownTextObject

passed = failed = 0


def check(name, judge):
    global passed, failed
    try:
        judge()
        passed += 1
    except Exception as error:  # the SDK raises SlackObjectFormationError, and others for wrong types
        failed += 1
        print(f"FAILED {name}: {type(error).__name__}: {error}")


def judge_block(block):
    parsed = Block.parse(block)
    assert parsed is not None, f"unknown block {block.get('type')}"
    assert parsed.to_dict() == block, f"the SDK reads it differently: {parsed.to_dict()}"
    parsed.validate_json()
    # validate_json isn't recursive.
    texts = [block["text"]] if isinstance(parsed, SectionBlock) else block["elements"] if isinstance(parsed, ContextBlock) else []
    for text in texts:
        MarkdownTextObject(text=text["text"], verbatim=text["verbatim"]).validate_json()
        assert 1 <= len(text["text"]) <= 3000


for path in sys.argv[1:]:
    message = json.load(open(path))
    blocks = message["blocks"] + [block for attachment in message.get("attachments", []) for block in attachment["blocks"]]
    for number, block in enumerate(blocks):
        check(f"{path} block {number}", lambda block=block: judge_block(block))
    for attachment in message.get("attachments", []):
        made = lambda attachment=attachment: BlockAttachment(
            blocks=[Block.parse(block) for block in attachment["blocks"]], color=attachment["color"], fallback=attachment["fallback"]
        ).validate_json()
        check(f"{path} attachment", made)
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)
