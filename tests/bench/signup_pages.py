"""The portal's own templates (templates/signup) as PHP templates and as Twig templates, so that all three render the
same page. The bench compares what comes out."""
import os
import re

FILLED = ("local_part_hint", "password_hint")  # texts with numbers in them
HOLE = re.compile(r"\{\{([^}]+)\}\}")


class Php:
    ending = ".phtml"
    item = {"value": "$item['value']", "label": "$item['label']", "url": "$item['url']", "on": "$item['on']"}

    @staticmethod
    def value(name):
        return Php.item[name[5:]] if name.startswith("item.") else f"$v['{name}']"

    @staticmethod
    def show(name):
        return f"<?= e({Php.value(name)}) ?>"

    @staticmethod
    def text(key):
        return f"<?= e(strtr($t['{key}'], $v['filled'])) ?>" if key in FILLED else f"<?= e($t['{key}']) ?>"

    @staticmethod
    def asset(name):
        return f"<?= e($v['asset:{name}']) ?>"

    @staticmethod
    def when(name):
        return f"<?php if ({Php.value(name)} !== ''): ?>", "<?php endif ?>"

    @staticmethod
    def unless(name):
        return f"<?php if ({Php.value(name)} === ''): ?>", "<?php endif ?>"

    @staticmethod
    def each(name):
        return f"<?php foreach ($v['{name}'] as $item): ?>", "<?php endforeach ?>"

    @staticmethod
    def include(name):
        return f"<?php require __DIR__ . '/{name}' ?>"


class Twig:
    ending = ".twig"

    @staticmethod
    def value(name):
        return name if name.startswith("item.") else f"v['{name}']"

    @staticmethod
    def show(name):
        return "{{ " + Twig.value(name) + " }}"

    @staticmethod
    def text(key):
        return "{{ t." + key + ("|replace(v.filled)" if key in FILLED else "") + " }}"

    @staticmethod
    def asset(name):
        return "{{ v['asset:" + name + "'] }}"

    @staticmethod
    def when(name):
        return "{% if " + Twig.value(name) + " != '' %}", "{% endif %}"

    @staticmethod
    def unless(name):
        return "{% if " + Twig.value(name) + " == '' %}", "{% endif %}"

    @staticmethod
    def each(name):
        return "{% for item in v['" + name + "'] %}", "{% endfor %}"

    @staticmethod
    def include(name):
        return "{% include '" + name + "' %}"


def translate(text, engine):
    """One template; what a hole means is in signup/template.h."""
    blocks = []

    def hole(match):
        word = match.group(1)
        kind, name = word[0], word[1:]
        if kind == "/":
            return blocks.pop()
        if kind == ">":
            return engine.include(name.replace(".html", engine.ending))
        for sign, block in (("?", engine.when), ("!", engine.unless), ("*", engine.each)):
            if kind == sign:
                start, end = block(name)
                blocks.append(end)
                return start
        if word.startswith("t:"):
            return engine.text(word[2:])
        return engine.asset(word[6:]) if word.startswith("asset:") else engine.show(word)

    out = HOLE.sub(hole, text)
    assert not blocks, blocks
    return out


def write_all(source, target):
    """Every template in both languages; returns the names of all values in them, for an empty page."""
    names = set()
    for file in sorted(os.listdir(source)):
        if not file.endswith(".html"):
            continue
        with open(os.path.join(source, file), encoding="utf-8") as f:
            text = f.read()
        for word in HOLE.findall(text):
            name = word.lstrip("?!*/")
            if not name.startswith((">", "t:", "asset:", "item.")):
                names.add(name)
        for engine in (Php, Twig):
            with open(os.path.join(target, file.replace(".html", engine.ending)), "w", encoding="utf-8") as f:
                f.write(translate(text, engine))
    return names


def bare(page):
    """A page without what differs each time it is asked for, and without spaces."""
    page = re.sub(r"[A-Za-z0-9_-]{90,}", "TICKET", page)
    page = re.sub(r'name="csrf" value="[0-9a-f]+"', "CSRF", page)
    return re.sub(r"\s+", "", page)
