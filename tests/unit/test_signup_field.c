/* signup/field.c, password.c, reserved.c: what names, addresses and passwords must be like. */
#include "signup_fixture.h"

#include "signup/field.h"
#include "signup/reserved.h"

static struct config config;

static int setup(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(65536);

        if (make_tmp(state) < 0)
                return -1;
        return load_config("title = Bergmail\ncontact = help@example.org\n", &config, &errors);
}

static int teardown(void **state)
{
        config_free(&config);
        return remove_tmp(state);
}

struct typed {
        const char *name, *local, *domain, *password, *password2, *recovery, *consent;
};

static const struct typed GOOD = { "Zoë Müller", "zoe.m", "example.org", "umbrella tree 42 x",
                                   NULL,         "",      NULL };

static void check(const struct typed *t, const struct password_policy *policy, struct account *a,
                  struct problem p[FIELD_COUNT])
{
        struct field_rules rules = { .config = &config, .domains = &config.signup.domains };
        struct form f = { .n = 0 };

        if (policy)
                rules.policy = *policy;
        f.v[f.n++] = (struct form_field){ "name", t->name };
        f.v[f.n++] = (struct form_field){ "local_part", t->local };
        f.v[f.n++] = (struct form_field){ "domain", t->domain };
        f.v[f.n++] = (struct form_field){ "password", t->password };
        f.v[f.n++] = (struct form_field){ "password2", t->password2 ? t->password2 : t->password };
        f.v[f.n++] = (struct form_field){ "recovery", t->recovery };
        if (t->consent)
                f.v[f.n++] = (struct form_field){ "consent", t->consent };
        fields_check(&rules, &f, a, p);
}

/* Exactly this field has exactly this problem (NULL: none has). */
static void expect(const struct typed *t, const struct password_policy *policy, int field,
                   const char *problem)
{
        struct problem p[FIELD_COUNT];
        struct account a;

        check(t, policy, &a, p);
        for (int i = 0; i < FIELD_COUNT; i++) {
                const char *want = i == field ? problem : NULL;
                if (!str_eq(want, p[i].text) && (want || p[i].text))
                        fail_msg("%s \"%s\" \"%s\" \"%s\": %s, not %s", FIELDS[i].name, t->name,
                                 t->local, t->password, p[i].text ? p[i].text : "fine",
                                 want ? want : "fine");
        }
}

static void test_names(void **state)
{
        static const struct {
                const char *name, *problem;
        } CASES[] = {
                { "José", NULL },
                { "Zoë", NULL },
                { "O'Neil", NULL },
                { "Anne-Marie d\u2019Été", NULL },
                { "Paral·lel Ñandú", NULL },
                { "王小明", NULL },
                { "محمد", NULL },
                { "नमस्ते देवी", NULL },
                { "علی\u200cرضا", NULL },
                { "Nguyễn Thị Ánh", NULL },
                { "  Ann   Lee ", NULL },
                { "Martin Luther King, Jr.", NULL },
                { "", "err_name_missing" },
                { "   ", "err_name_missing" },
                { "J", "err_name_length" },
                { "....", "err_name_chars" },
                { "1234", "err_name_chars" },
                { "Eve <eve@x>", "err_name_chars" },
                { "Eve\"", "err_name_chars" },
                { "{Eve}", "err_name_chars" },
                { "Eve\x01", "err_name_chars" },
                { "Eve\nX: y", "err_name_chars" },
                { "Eve\u202egnp", "err_name_chars" },
                { "Eve\u2066x", "err_name_chars" },
                { "\u200eEve", "err_name_chars" },
                { "\u0301Eve", "err_name_chars" },
                { "E\u0316\u0317\u0318\u0319ve", "err_name_chars" }, /* a tower of marks */
                { "Aaaaaaa", "err_name_chars" },
                { "Eve \U0001f600", "err_name_chars" },
                { "Eve\ue000", "err_name_chars" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                struct typed t = GOOD;
                t.name = CASES[i].name;
                expect(&t, NULL, FIELD_NAME, CASES[i].problem);
        }
}

static void test_name_is_normal(void **state)
{
        struct problem p[FIELD_COUNT];
        struct account a;
        struct typed t = GOOD;

        (void)state;
        t.name = "  Jose\u0301   Lee "; /* e and an accent of its own */
        check(&t, NULL, &a, p);
        assert_string_equal(a.name, "José Lee");
        assert_string_equal(a.address, "zoe.m@example.org");
}

static void test_locals(void **state)
{
        static const struct {
                const char *local, *problem, *becomes;
        } CASES[] = {
                { "alice", NULL, "alice" },
                { "Alice", NULL, "alice" },
                { " alice ", NULL, "alice" },
                { "alice@example.org", NULL, "alice" },
                { "a.b-c_d", NULL, "a.b-c_d" },
                { "007", NULL, "007" },
                { "", "err_local_missing", NULL },
                { "al", "err_local_length", NULL },
                { "abcdefghijklmnopqrstuvwxyzabcdefg", "err_local_length", NULL },
                { "alice@evil.example", "err_local_chars", NULL },
                { "bob+x", "err_local_chars", NULL },
                { "a/b", "err_local_chars", NULL },
                { "o'neil", "err_local_chars", NULL },
                { "a..b", "err_local_chars", NULL },
                { "a.-b", "err_local_chars", NULL },
                { ".alice", "err_local_chars", NULL },
                { "alice.", "err_local_chars", NULL },
                { "ali ce", "err_local_chars", NULL },
                { "zo\xc3\xab", "err_local_chars", NULL },
                { "\"alice\"", "err_local_chars", NULL },
                { "aaaab", "err_local_repeat", NULL },
                { "aaab", NULL, "aaab" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                struct problem p[FIELD_COUNT];
                struct account a;
                struct typed t = GOOD;
                t.local = CASES[i].local;
                expect(&t, NULL, FIELD_LOCAL_PART, CASES[i].problem);
                check(&t, NULL, &a, p);
                if (CASES[i].becomes)
                        assert_string_equal(a.local_part, CASES[i].becomes);
        }
}

static void test_passwords(void **state)
{
        static const struct {
                const char *password, *problem;
        } CASES[] = {
                { "umbrella tree 42", NULL },
                { "<&>\"' umbrella", NULL },
                { "Ünïcödé wörds ok", NULL },
                { "{no scheme} here", NULL },
                { "{} umbrella tree", NULL },
                { "", "err_password_missing" },
                { "short1!aA", "err_password_short" },
                { "äöüäöüäöü", "err_password_short" }, /* 9 characters of 18 bytes */
                { "umbrella tree 42 umbrella tree 42 umbrella tree 42 umbrella tree",
                  NULL }, /* 64 */
                { "umbrella tree 42 umbrella tree 42 umbrella tree 42 umbrella tree 42 umbr",
                  NULL },
                { "umbrella tree 42 umbrella tree 42 umbrella tree 42 umbrella tree 42 umbre",
                  "err_password_long" },
                { "umbrella\ttree", "err_password_chars" },
                { "umbrella\xc2\x85tree", "err_password_chars" },
                { "{PLAIN}umbrella tree", "err_password_scheme" },
                { "{BLF-CRYPT}$2y$10$abcdefghij", "err_password_scheme" },
                { "{sha256.hex}abcdefghijkl", "err_password_scheme" },
                { "my example pass", "err_password_personal" },
                { "xx Müller xx 12", "err_password_personal" },
                { "bergmail4ever!x", "err_password_personal" },
                { "aaaaaaaaaaaa", "err_password_simple" },
                { "abababababab", "err_password_simple" },
                { "password1234", "err_password_simple" },
                { "Qwertz123456", "err_password_simple" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                struct typed t = GOOD;
                t.password = CASES[i].password;
                expect(&t, NULL, FIELD_PASSWORD, CASES[i].problem);
        }
}

static void test_password_is_untouched(void **state)
{
        struct problem p[FIELD_COUNT];
        struct account a;
        struct typed t = GOOD;

        (void)state;
        t.password = " <&>\"'{x\\y} \u00e9 ";
        check(&t, NULL, &a, p);
        assert_ptr_equal(a.password, t.password);
}

static void test_policy(void **state)
{
        static const struct {
                struct password_policy policy;
                const char *good, *bad;
        } CASES[] = {
                { { .length = 14 }, "umbrella tree x", "umbrella tree" },
                { { .chars = true }, "12957038461a", "129570384617" },
                { { .numbers = true }, "umbrella1tree", "umbrella tree" },
                { { .lowerupper = true }, "Umbrella tree", "umbrella tree" },
                { { .special = true }, "umbrella tree", "umbrellaXtree" },
                { { .special = true }, "umbrella\u00e9tree", "umbrella1tree" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                struct typed t = GOOD;
                t.password = CASES[i].good;
                expect(&t, &CASES[i].policy, FIELD_PASSWORD, NULL);
                t.password = CASES[i].bad;
                expect(&t, &CASES[i].policy, FIELD_PASSWORD, "err_password_policy");
        }
}

static void test_others(void **state)
{
        static const struct {
                const char *recovery, *problem;
        } CASES[] = {
                { "", NULL },
                { "me@other.example", NULL },
                { "me", "err_recovery" },
                { "me@x", "err_recovery" },
                { "@x.y", "err_recovery" },
                { "a@b@c.d", "err_recovery" },
                { "a b@c.d", "err_recovery" },
                { "<a@c.d>", "err_recovery" },
                { "a@c.d.", "err_recovery" },
                { "a@c.d\r\nBcc: x", "err_recovery" },
                { "Zoe.M@example.org", "err_recovery_same" },
        };
        struct typed t = GOOD;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                t.recovery = CASES[i].recovery;
                expect(&t, NULL, FIELD_RECOVERY, CASES[i].problem);
        }
        t = GOOD;
        t.domain = "other.example";
        expect(&t, NULL, FIELD_DOMAIN, "err_domain");
        t = GOOD;
        t.password2 = "umbrella tree 42 y";
        expect(&t, NULL, FIELD_PASSWORD2, "err_password2");
}

static void test_consent(void **state)
{
        char *terms = config.signup.terms_url;
        struct typed t = GOOD;

        (void)state;
        config.signup.terms_url = (char *)(uintptr_t) "/terms";
        expect(&t, NULL, FIELD_CONSENT, "err_consent");
        t.consent = "no";
        expect(&t, NULL, FIELD_CONSENT, "err_consent");
        t.consent = "yes";
        expect(&t, NULL, FIELD_CONSENT, NULL);
        config.signup.terms_url = terms;
}

static void test_range(void **state)
{
        static const char ANSWER[] = "0018A45C4D1DEF81644B54AB7F969B88D65:0\r\n"
                                     "1E4C9B93F3F0682250B6CF8331B7EE68FD8:3730471\r\n"
                                     "011053FD0102E94D6AE2F8B83D76FAF94F6:1";
        char sha1[PASSWORD_SHA1];

        (void)state;
        assert_int_equal(password_sha1("password", sha1), 0);
        assert_string_equal(sha1, "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8");
        assert_true(password_in_range(ANSWER, sha1));
        assert_true(password_in_range(ANSWER, "00000011053FD0102E94D6AE2F8B83D76FAF94F6"));
        assert_false(password_in_range(ANSWER, "000000018A45C4D1DEF81644B54AB7F969B88D65"));
        assert_false(password_in_range("", sha1));
        assert_false(password_in_range("<html>", sha1));
}

/* ---- reserved ---- */

static const char *const MUST_PASS[] = {
        "alice",     "bob",         "carol",     "dave",         "jose",        "maria",
        "anna",      "lea",         "noah",      "emma",         "liam",        "olivia",
        "mia",       "ben",         "paul",      "elias",        "hanna",       "sofia",
        "luis",      "felix",       "max",       "moritz",       "jonas",       "leon",
        "finn",      "theo",        "emil",      "anton",        "oskar",       "jakob",
        "clara",     "ida",         "ella",      "frieda",       "marie",       "lina",
        "lotte",     "charlotte",   "johanna",   "mathilda",     "pierre",      "jean",
        "jacques",   "camille",     "chloe",     "manon",        "lucas",       "hugo",
        "gabriel",   "raphael",     "arthur",    "jules",        "louise",      "alice.martin",
        "bernard",   "dubois",      "thomas",    "robert",       "richard",     "petit",
        "durand",    "leroy",       "moreau",    "simon",        "laurent",     "lefebvre",
        "michel",    "garcia",      "david",     "bertrand",     "roux",        "vincent",
        "fournier",  "morel",       "girard",    "andre",        "mercier",     "dupont",
        "lambert",   "bonnet",      "francois",  "martinez",     "legrand",     "garnier",
        "faure",     "rousseau",    "blanc",     "guerin",       "muller",      "henry",
        "roussel",   "nicolas",     "perrin",    "morin",        "mathieu",     "clement",
        "gauthier",  "dumont",      "lopez",     "fontaine",     "chevalier",   "robin",
        "masson",    "sanchez",     "gerard",    "nguyen",       "boyer",       "denis",
        "lemaire",   "duval",       "joly",      "gautier",      "roger",       "roche",
        "roy",       "noel",        "meyer",     "lucas",        "meunier",     "jeanmartin",
        "perez",     "marchand",    "dufour",    "blanchard",    "marie.curie", "barbier",
        "brun",      "dumas",       "brunet",    "schmitt",      "leroux",      "colas",
        "fernandez", "pierre.paul", "renard",    "arnaud",       "rolland",     "caron",
        "aubert",    "giraud",      "leclerc",   "vidal",        "bourgeois",   "renaud",
        "lemoine",   "picard",      "gaillard",  "philippe",     "leclercq",    "lacroix",
        "fabre",     "dupuis",      "olivier",   "rodriguez",    "dasilva",     "hubert",
        "louis",     "charles",     "guillot",   "riviere",      "legall",      "guillaume",
        "adam",      "rey",         "moulin",    "gonzalez",     "berger",      "lecomte",
        "menard",    "fleury",      "deschamps", "carpentier",   "julien",      "benoit",
        "paris",     "maillard",    "marchal",   "aubry",        "vasseur",     "leroyer",
        "smith",     "jones",       "taylor",    "brown",        "williams",    "wilson",
        "johnson",   "davies",      "patel",     "wright",       "walker",      "white",
        "edwards",   "hughes",      "green",     "hall",         "lewis",       "harris",
        "clarke",    "jackson",     "wood",      "turner",       "martin",      "cooper",
        "hill",      "morris",      "ward",      "moore",        "clark",       "baker",
        "harrison",  "king",        "morgan",    "lee",          "allen",       "james",
        "phillips",  "scott",       "watson",    "parker",       "price",       "bennett",
        "young",     "griffiths",   "mitchell",  "kelly",        "cook",        "carter",
        "bailey",    "collins",     "bell",      "shaw",         "murphy",      "miller",
        "cox",       "marshall",    "anderson",  "simpson",      "ellis",       "adams",
        "singh",     "begum",       "wilkinson", "foster",       "chapman",     "powell",
        "webb",      "rogers",      "gray",      "mason",        "ali",         "hunt",
        "hussain",   "campbell",    "matthews",  "owen",         "palmer",      "holmes",
        "mills",     "barnes",      "knight",    "lloyd",        "butler",      "russell",
        "fisher",    "barker",      "stevens",   "jenkins",      "dixon",       "fletcher",
        "prosper",   "smart",       "smartin",   "webmasterson", "rootes",      "abusson",
        "infante",   "infield",     "newsome",   "postman",      "hostetler",   "testa",
        "guestrow",  "supporta",    "adminov",   "teamer",       "mister.x",    "rossi",
        "russo",     "ferrari",     "esposito",  "bianchi",      "romano",      "colombo",
        "ricci",     "marino",      "greco",     "bruno",        "gallo",       "conti",
        "deluca",    "mancini",     "costa",     "giordano",     "rizzo",       "lombardi",
        "moretti",   "wang",        "li.wei",    "zhang",        "liu.yang",    "chen",
        "yang",      "huang",       "zhao",      "zhou",         "sato",        "suzuki",
        "takahashi", "tanaka",      "kim",       "park",         "choi",
};

static void test_reserved(void **state)
{
        static const char *const REFUSED[] = {
                "postmaster",   "hostmaster",   "webmaster",  "abuse",        "noc",
                "security",     "info",         "marketing",  "sales",        "support",
                "usenet",       "news",         "www",        "uucp",         "ftp",
                "root",         "admin",        "adm1n",      "ad.min",       "ad-min",
                "admin2",       "admin.1",      "4dmin",      "r00t",         "supp0rt",
                "any-request",  "list-request", "owner-list", "news-bounces", "mailer-daemon",
                "mailerdaemon", "no-reply",     "noreply",    "no.reply",     "lnfo",
        };
        CLEANUP(buf_done) struct buf errors = BUF(65536);
        struct reserved *r = NULL;
        char path[512];

        (void)state;
        snprintf(path, sizeof path, "%s/templates/signup/reserved.txt", source_dir());
        if (reserved_load(path, &r, &errors) < 0)
                fail_msg("%s", buf_str(&errors));
        for (size_t i = 0; i < ARRAY_SIZE(REFUSED); i++)
                if (!reserved_has(r, REFUSED[i]))
                        fail_msg("%s may be had", REFUSED[i]);
        for (size_t i = 0; i < ARRAY_SIZE(MUST_PASS); i++)
                if (reserved_has(r, MUST_PASS[i]))
                        fail_msg("%s is refused", MUST_PASS[i]);
        reserved_free(r);
}

static void test_reserved_file(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(65536);
        struct reserved *r = NULL;

        (void)state;
        put_file(at(&tmp, "r"), "# list\n boss # him\r\nab*\n\n*yz");
        assert_int_equal(reserved_load(at(&tmp, "r"), &r, &errors), 0);
        assert_true(reserved_has(r, "boss"));
        assert_true(reserved_has(r, "b0ss"));
        assert_true(reserved_has(r, "abx"));
        assert_true(reserved_has(r, "xyz"));
        assert_false(reserved_has(r, "xab"));
        reserved_free(r);
        put_file(at(&tmp, "r"), "fine\nTwo words\n*\n");
        assert_int_equal(reserved_load(at(&tmp, "r"), &r, &errors), -EINVAL);
        assert_non_null(strstr(buf_str(&errors), "r:2: is no local part"));
        assert_non_null(strstr(buf_str(&errors), "r:3: is no local part"));
        assert_int_equal(reserved_load("/nonexistent", &r, &errors), -ENOENT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_name_is_normal),
                cmocka_unit_test(test_locals),
                cmocka_unit_test(test_passwords),
                cmocka_unit_test(test_password_is_untouched),
                cmocka_unit_test(test_policy),
                cmocka_unit_test(test_others),
                cmocka_unit_test(test_consent),
                cmocka_unit_test(test_range),
                cmocka_unit_test(test_reserved),
                cmocka_unit_test(test_reserved_file),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
