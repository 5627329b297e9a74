/* Numeric addresses, and a listener on each kind. */
#include "harness.h"

#include "lib/address.h"

static void test_parse(void **state)
{
        static const struct {
                const char *text;
                unsigned port;
                int want;
        } ROWS[] = {
                { "127.0.0.1", 25, AF_INET },    { "::1", 65535, AF_INET6 },
                { "fd00::7", 0, AF_INET6 },      { "", 25, -EINVAL },
                { "localhost", 25, -EINVAL },    { "127.1", 25, -EINVAL },
                { "10.0.0.1/24", 25, -EINVAL },  { "fe80::1%lo", 25, -EINVAL },
                { "127.0.0.1", 65536, -EINVAL },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                union address a;
                int r = address_parse(ROWS[i].text, ROWS[i].port, &a);
                assert_int_equal(r < 0 ? r : a.any.sa_family, ROWS[i].want);
                if (r == 0)
                        assert_int_equal(
                                ntohs(ROWS[i].want == AF_INET ? a.v4.sin_port : a.v6.sin6_port),
                                ROWS[i].port);
        }
}

static void test_same_host(void **state)
{
        static const char *const HOSTS[] = { "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(HOSTS); i++)
                for (size_t j = 0; j < ARRAY_SIZE(HOSTS); j++) {
                        union address a, b;
                        assert_int_equal(address_parse(HOSTS[i], 1, &a), 0);
                        assert_int_equal(address_parse(HOSTS[j], 2, &b), 0);
                        assert_true(address_same_host(&a, &b.any) == (i == j));
                }
}

/* 192.0.2.1 (RFC 5737) is on no interface: as a private network at boot. */
static void test_listen(void **state)
{
        static const char *const HOSTS[] = { "127.0.0.1", "192.0.2.1" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(HOSTS); i++) {
                union address a, got = { .any = { .sa_family = AF_UNSPEC } };
                socklen_t len = sizeof got;
                int fd = -1, second = -1;
                assert_int_equal(address_parse(HOSTS[i], 0, &a), 0);
                assert_int_equal(address_listen(&a, 4, &fd), 0);
                assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
                assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
                assert_int_equal(getsockname(fd, &got.any, &len), 0);
                assert_true(address_same_host(&a, &got.any) && got.v4.sin_port != 0);
                assert_int_equal(address_listen(&got, 4, &second), -EADDRINUSE);
                assert_int_equal(second, -1);
                close(fd);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse),
                                            cmocka_unit_test(test_same_host),
                                            cmocka_unit_test(test_listen) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
