/* What a page may show: one name per value, VALUES[], and one per list, LISTS[]. A template or a
 * text that names anything else does not load. A view borrows all its strings. */
#pragma once

#include "signup/locale.h"

enum value {
        V_LANG,
        V_DIR,
        V_BASE,
        V_TITLE,
        V_LOGO,
        V_STYLESHEET,
        V_CONTACT,
        V_LOGIN_URL,
        V_WEBMAIL_URL,
        V_TERMS_URL,
        V_PRIVACY_URL,
        V_LANGUAGE,
        V_HEADING,
        V_TEXT,
        V_RETRY,
        V_ALERT,
        V_NAME,
        V_LOCAL_PART,
        V_DOMAIN,
        V_ONE_DOMAIN,
        V_RECOVERY,
        V_CONSENT,
        V_CAPTCHA,
        V_INVITE,
        V_CSRF,
        V_TICKET,
        V_ERR_NAME,
        V_ERR_LOCAL_PART,
        V_ERR_DOMAIN,
        V_ERR_PASSWORD,
        V_ERR_PASSWORD2,
        V_ERR_RECOVERY,
        V_ERR_CONSENT,
        V_ERR_GATE,
        V_LOCAL_MIN,
        V_LOCAL_MAX,
        V_NAME_MAX,
        V_PASSWORD_MIN,
        V_PASSWORD_MAX,
        V_POLICY,
        V_HAS_IMAGE,
        V_HAS_AUDIO,
        V_HAS_POW,
        V_HAS_INVITE,
        V_ONLY_INVITE,
        V_MANY_GATES,
        V_FIRST_GATE,
        V_CAPTCHA_SHOWN,
        V_PASSED,
        V_ON_IMAGE,
        V_ON_AUDIO,
        V_ON_POW,
        V_ON_INVITE,
        V_IMAGE_URL,
        V_AUDIO_URL,
        V_POW,
        V_APPROVAL,
        V_ADDRESS,
        V_HOST,
        V_DAV_URL,
        V_ITEM_VALUE,
        V_ITEM_LABEL,
        V_ITEM_URL,
        V_ITEM_ON,
        V_COUNT,
};

enum list { L_LANGUAGES, L_DOMAINS, L_ERRORS, L_COUNT };

extern const char *const VALUES[V_COUNT]; /* "lang", "dir", … */
extern const char *const LISTS[L_COUNT];

struct row { /* "item.value", "item.label", "item.url", "item.on" */
        const char *value, *label, *url, *on;
};

struct rows {
        const struct row *v;
        size_t n;
};

struct view {
        const struct locale *locale;
        const char *v[V_COUNT]; /* NULL = "" */
        struct rows lists[L_COUNT];
};

int view_value(const char *name); /* enum value, or -1 */
int view_list(const char *name);  /* enum list, or -1 */
