/* The names of view.h. */
#include "signup/view.h"

const char *const VALUES[V_COUNT] = {
        [V_LANG] = "lang",
        [V_DIR] = "dir",
        [V_BASE] = "base",
        [V_TITLE] = "title",
        [V_LOGO] = "logo",
        [V_STYLESHEET] = "stylesheet",
        [V_CONTACT] = "contact",
        [V_LOGIN_URL] = "login_url",
        [V_WEBMAIL_URL] = "webmail_url",
        [V_TERMS_URL] = "terms_url",
        [V_PRIVACY_URL] = "privacy_url",
        [V_LANGUAGE] = "language",
        [V_HEADING] = "heading",
        [V_TEXT] = "text",
        [V_RETRY] = "retry",
        [V_ALERT] = "alert",
        [V_NAME] = "name",
        [V_LOCAL_PART] = "local_part",
        [V_DOMAIN] = "domain",
        [V_ONE_DOMAIN] = "one_domain",
        [V_RECOVERY] = "recovery",
        [V_CONSENT] = "consent",
        [V_CAPTCHA] = "captcha",
        [V_INVITE] = "invite",
        [V_CSRF] = "csrf",
        [V_TICKET] = "ticket",
        [V_ERR_NAME] = "err.name",
        [V_ERR_LOCAL_PART] = "err.local_part",
        [V_ERR_DOMAIN] = "err.domain",
        [V_ERR_PASSWORD] = "err.password",
        [V_ERR_PASSWORD2] = "err.password2",
        [V_ERR_RECOVERY] = "err.recovery",
        [V_ERR_CONSENT] = "err.consent",
        [V_ERR_GATE] = "err.gate",
        [V_LOCAL_MIN] = "local_min",
        [V_LOCAL_MAX] = "local_max",
        [V_NAME_MAX] = "name_max",
        [V_PASSWORD_MIN] = "password_min",
        [V_PASSWORD_MAX] = "password_max",
        [V_POLICY] = "policy",
        [V_HAS_IMAGE] = "has_image",
        [V_HAS_AUDIO] = "has_audio",
        [V_HAS_POW] = "has_pow",
        [V_HAS_INVITE] = "has_invite",
        [V_ONLY_INVITE] = "only_invite",
        [V_MANY_GATES] = "many_gates",
        [V_FIRST_GATE] = "first_gate",
        [V_CAPTCHA_SHOWN] = "captcha_shown",
        [V_PASSED] = "passed",
        [V_ON_IMAGE] = "on_image",
        [V_ON_AUDIO] = "on_audio",
        [V_ON_POW] = "on_pow",
        [V_ON_INVITE] = "on_invite",
        [V_IMAGE_URL] = "image_url",
        [V_AUDIO_URL] = "audio_url",
        [V_POW] = "pow",
        [V_APPROVAL] = "approval",
        [V_ADDRESS] = "address",
        [V_HOST] = "host",
        [V_DAV_URL] = "dav_url",
        [V_ITEM_VALUE] = "item.value",
        [V_ITEM_LABEL] = "item.label",
        [V_ITEM_URL] = "item.url",
        [V_ITEM_ON] = "item.on",
};

const char *const LISTS[L_COUNT] = {
        [L_LANGUAGES] = "languages",
        [L_DOMAINS] = "domains",
        [L_ERRORS] = "errors",
};

int view_value(const char *name)
{
        for (int i = 0; i < V_COUNT; i++)
                if (str_eq(VALUES[i], name))
                        return i;
        return -1;
}

int view_list(const char *name)
{
        for (int i = 0; i < L_COUNT; i++)
                if (str_eq(LISTS[i], name))
                        return i;
        return -1;
}
