/* The stream cutter of jsplit.h. Inside an object it looks for the few bytes that matter (quotes,
 * backslashes, brackets) and appends everything up to them in one piece. */
#include "lib/jsplit.h"

#include <errno.h>
#include <string.h>

void jsplit_init(struct jsplit *j, size_t max_object)
{
        *j = (struct jsplit){ .object = BUF(max_object) };
}

void jsplit_done(struct jsplit *j)
{
        buf_done(&j->object);
}

void jsplit_reset(struct jsplit *j)
{
        buf_done(&j->object);
        jsplit_init(j, j->object.cap);
}

bool jsplit_at_rest(const struct jsplit *j)
{
        return j->depth == 0 &&
               (j->place == JSPLIT_START || j->place == JSPLIT_STREAM || j->place == JSPLIT_END);
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Length of the run before the next byte that matters. (Two memchr() would be faster on clean text
 * and quadratic on a long string full of escapes.) */
static size_t plain_run(const char *s, size_t len, bool in_string)
{
        static const bool in_text[256] = { ['"'] = true, ['\\'] = true };
        static const bool in_object[256] = {
                ['"'] = true, ['{'] = true, ['}'] = true, ['['] = true, [']'] = true
        };
        const bool *stops = in_string ? in_text : in_object;
        size_t n = 0;

        while (n < len && !stops[(unsigned char)s[n]])
                n++;
        return n;
}

/* A byte between objects: what it leads to, or JSPLIT_BROKEN. */
static enum jsplit_place step_outside(enum jsplit_place place, char c)
{
        switch (place) {
        case JSPLIT_START:
                return c == '[' ? JSPLIT_FIRST : JSPLIT_BROKEN;
        case JSPLIT_FIRST:
                return c == ']' ? JSPLIT_END : JSPLIT_BROKEN;
        case JSPLIT_SEPARATOR:
                if (c == ',')
                        return JSPLIT_NEXT;
                return c == ']' ? JSPLIT_END : JSPLIT_BROKEN;
        case JSPLIT_STREAM:
        case JSPLIT_NEXT:
        case JSPLIT_END:
        case JSPLIT_BROKEN:
                break;
        }
        return JSPLIT_BROKEN;
}

static bool object_may_start(enum jsplit_place place)
{
        return place == JSPLIT_START || place == JSPLIT_STREAM || place == JSPLIT_FIRST ||
               place == JSPLIT_NEXT;
}

/* Take bytes between objects; stops behind the brace that opens one. Returns what it took. */
static int take_outside(struct jsplit *j, const char *s, size_t len, size_t *ret_taken)
{
        for (size_t i = 0; i < len; i++) {
                if (is_blank(s[i]))
                        continue;
                if (s[i] == '{' && object_may_start(j->place)) {
                        j->place = j->place == JSPLIT_START || j->place == JSPLIT_STREAM
                                           ? JSPLIT_STREAM
                                           : JSPLIT_SEPARATOR;
                        j->depth = 1;
                        *ret_taken = i + 1;
                        buf_reset(&j->object);
                        return buf_add(&j->object, "{", 1);
                }
                j->place = step_outside(j->place, s[i]);
                if (j->place == JSPLIT_BROKEN)
                        return -EBADMSG;
        }
        *ret_taken = len;
        return 0;
}

/* The byte that ended a run, inside an object. */
static int step_inside(struct jsplit *j, char c)
{
        if (j->in_string) {
                j->escaped = c == '\\';
                j->in_string = c != '"';
        } else if (c == '"') {
                j->in_string = true;
        } else if (c == '{' || c == '[') {
                if (++j->depth > JSPLIT_DEPTH)
                        return -EBADMSG;
        } else if (--j->depth == 0 && c != '}') {
                return -EBADMSG;
        }
        return 0;
}

/* Take bytes of the object; stops behind the bracket that closes it (depth 0). */
static int take_inside(struct jsplit *j, const char *s, size_t len, size_t *ret_taken)
{
        size_t i = 0;

        while (i < len && j->depth > 0) {
                if (j->escaped) { /* whatever it is, it does not count */
                        j->escaped = false;
                        i++;
                        continue;
                }
                i += plain_run(s + i, len - i, j->in_string);
                if (i == len)
                        break;
                int r = step_inside(j, s[i]);
                if (r < 0)
                        return r;
                i++;
        }
        *ret_taken = i;
        return buf_add(&j->object, s, i);
}

int jsplit_feed(struct jsplit *j, const char *data, size_t len, jsplit_fn fn, void *arg)
{
        while (len > 0) {
                size_t taken = 0;
                bool inside = j->depth > 0;

                int r = inside ? take_inside(j, data, len, &taken)
                               : take_outside(j, data, len, &taken);
                if (r < 0) {
                        j->place = JSPLIT_BROKEN;
                        j->depth = 0;
                        return r;
                }
                data += taken;
                len -= taken;
                if (!inside || j->depth > 0)
                        continue;

                r = fn(arg, buf_str(&j->object), j->object.len);
                if (r != 0)
                        return r; /* j may be gone */
        }
        return 0;
}
