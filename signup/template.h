/* Pages as files with holes. All that is put in is escaped for HTML, text and quoted attributes
 * alike; there is no way to put in anything raw. What a hole may be:
 *
 *     {{key}}        a value (view.h)           {{t:key}}      a text in the page's language
 *     {{?key}} {{/key}}   only if it is set     {{!key}} {{/key}}   only if it is not
 *     {{*list}} {{/list}}  once per row         {{>file}}      another file of the folder
 *     {{asset:file}} path of a static file
 *
 * An unknown key, list, text, file or asset, or a block that is not closed: it does not load, and
 * the error names file and line. */
#pragma once

#include "signup/view.h"

struct template;

struct template_source {
        const char *dir;
        const struct locales *locales;
        const char *(*asset)(void *arg, const char *name); /* path, or NULL = there is none */
        void *arg;
};

int template_load(const struct template_source *s, const char *name, struct template **ret,
                  struct buf *errors);
void template_free(struct template *t); /* NULL is fine */
int template_render(const struct template *t, const struct view *v, struct buf *out);
