"""Chats whose last message goes on, rendered by Transformers with `continue_final_message`; null where it refuses them.

    python scripts/goldens/continued_chats.py      # needs transformers; writes test/fixtures/text/continued-chats.json
"""
import json
from pathlib import Path

from transformers.utils.chat_template_utils import render_jinja_template

HERE = Path(__file__).parent
TEXT = HERE.parent.parent / "test" / "fixtures" / "text"

templates = json.loads((TEXT / "chats.json").read_text())["templates"]
for path in sorted((HERE / "chat-templates").glob("*.jinja")):
    templates[path.stem] = path.read_text()

ENDS = ["The answer is", "The answer is  ", " a\n\n", "x\u3000\x1c", "", "  ", "<think>\nso\n</think>\n\nwell, ", "ends <|im_end|>", None]
chats = [[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": end}] for end in ENDS]
chats += [
    [{"role": "user", "content": "the user's "}],
    [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [{"type": "text", "text": "a "}, {"type": "image"}]}],
    [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [{"type": "image"}]}],
    [{"role": "system", "content": "S"}, {"role": "user", "content": "again"}, {"role": "assistant", "content": "again"}],
]


def render(template, messages):
    try:
        rendered, _ = render_jinja_template(
            conversations=[messages], chat_template=template, continue_final_message=True, bos_token="<s>", eos_token="</s>"
        )
    except Exception:
        return None
    return rendered[0]


cases = [
    {"template": name, "chat": index, "text": render(template, chat)}
    for name, template in templates.items()
    for index, chat in enumerate(chats)
]
own = {name: template for name, template in templates.items() if (HERE / "chat-templates" / f"{name}.jinja").exists()}
out = {"templates": own, "chats": chats, "cases": cases}
(TEXT / "continued-chats.json").write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")) + "\n")
print(len(cases), "cases,", sum(case["text"] is None for case in cases), "refused")
