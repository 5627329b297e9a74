/* Any bytes as a form body, a cookie header, a query, a path and X-Forwarded-For: what comes out is
 * valid, and every field is checked without a crash. */
#include "signup/field.h"
#include "signup/form.h"
#include "signup/request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *param(void *arg, const char *name)
{
        return str_eq(name, "REMOTE_ADDR") ? "10.0.0.1" : arg;
}

static void as_request(char *text)
{
        char *word = (char *)(uintptr_t) "10.0.0.0/8";
        struct strlist trusted = { &word, 1 };
        struct request r = { .now = 1 };
        char shown[NETADDR_TEXT], cookie[16];

        if (request_fill(&r, "/signup", &trusted, param, text) < 0)
                abort(); /* there always is an address */
        netaddr_short(&r.client, shown);
        if (strchr(r.path, '<') || strchr(r.path, '%'))
                abort();
        if (cookie_get(text, "a", cookie, sizeof cookie) && strpbrk(cookie, "; \r\n"))
                abort();
}

static void as_account(const struct form *f)
{
        static struct config config = { .signup = { .title = (char *)"Mail",
                                                    .terms_url = (char *)"/t",
                                                    .privacy_url = (char *)"" },
                                        .policy = { .name_min = 2,
                                                    .name_max = 64,
                                                    .local_min = 3,
                                                    .local_max = 32,
                                                    .password_min = 10,
                                                    .password_max = 72 } };
        char *word = (char *)(uintptr_t) "example.org";
        struct strlist domains = { &word, 1 };
        struct field_rules rules = { .config = &config, .domains = &domains };
        struct problem problems[FIELD_COUNT];
        struct account a;

        fields_check(&rules, f, &a, problems);
        if (!problems[FIELD_LOCAL_PART].text &&
            a.local_part[strspn(a.local_part, "abcdefghijklmnopqrstuvwxyz0123456789._-")])
                abort();
        if (!problems[FIELD_NAME].text && strpbrk(a.name, "<>\"{}\r\n"))
                abort();
        if (!problems[FIELD_PASSWORD].text && a.password[0] == '{' && strchr(a.password, '}') &&
            !strchr(a.password, ' ') && strncmp(a.password, "{PLAIN}", 7) == 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(form_done) struct form f = { .n = 0 };
        char *text = malloc(size + 1);

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';
        as_request(text);
        if (form_parse((const char *)data, size, &f) == 0) {
                for (size_t i = 0; i < f.n; i++)
                        if (!utf8_valid(f.v[i].value, strlen(f.v[i].value)) ||
                            form_get(&f, f.v[i].name) != f.v[i].value)
                                abort();
                as_account(&f);
        }
        free(text);
        return 0;
}
