/* Which listener is in the way of a port that is to be published: hamon/stack_ports.c. */
#include "hamon/stack_ports.h"

#include "harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* 0.0.0.0:25, 127.0.0.1:143, a session on 25, ::ffff:10.0.0.1:993, :::443, ::1:4190 */
static const char TCP[] =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
        "   0: 00000000:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        "
        "0 "
        "101 1 0000000000000000 100 0 0 10 0\n"
        "   1: 0100007F:008F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        "
        "0 "
        "102 1 0000000000000000 100 0 0 10 0\n"
        "   2: 0100007F:0050 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        "
        "0 "
        "103 1 0000000000000000 20 4 30 10 -1\n";
static const char TCP6[] =
        "  sl  local_address                         remote_address                        st\n"
        "   0: 0000000000000000FFFF00000100000A:03E1 00000000000000000000000000000000:0000 0A "
        "00000000:00000000 00:00000000 00000000     0        0 201 1 0 100 0 0 10 0\n"
        "   1: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A "
        "00000000:00000000 00:00000000 00000000     0        0 202 1 0 100 0 0 10 0\n"
        "   2: 00000000000000000000000001000000:105E 00000000000000000000000000000000:0000 0A "
        "00000000:00000000 00:00000000 00000000     0        0 203 1 0 100 0 0 10 0\n";

static void the_tables(void **unused)
{
        static const struct {
                bool six;
                struct stack_port port;
                unsigned long inode;
        } ROWS[] = {
                { false, { "", 25 }, 101 },
                { false, { "127.0.0.1", 25 }, 101 },  /* beside a listener on all */
                { false, { "::", 25 }, 0 },           /* of the other family */
                { false, { "", 143 }, 102 },          /* all beside one */
                { false, { "0.0.0.0", 143 }, 102 },   /* the same, said otherwise */
                { false, { "127.0.0.1", 143 }, 102 }, /* the same one */
                { false, { "10.0.0.1", 143 }, 0 },    /* another one */
                { false, { "127.0.0.1", 80 }, 0 },    /* no listener */
                { false, { "", 26 }, 0 },
                { true, { "10.0.0.1", 993 }, 201 }, /* IPv4 by another name */
                { true, { "10.0.0.2", 993 }, 0 },
                { true, { "127.0.0.1", 443 }, 202 }, /* :: may have both families */
                { true, { "::1", 443 }, 202 },
                { true, { "", 4190 }, 203 },
                { true, { "::", 4190 }, 203 },
                { true, { "::1", 4190 }, 203 },
                { true, { "2001:db8::1", 4190 }, 0 },
                { true, { "0.0.0.0", 4190 }, 0 },
                { false, { "no address", 25 }, 0 },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                if (stack_ports_find(ROWS[i].six ? TCP6 : TCP, ROWS[i].six, &ROWS[i].port) !=
                    ROWS[i].inode)
                        fail_msg("row %zu", i);
}

static void what_is_no_table(void **unused)
{
        static const char *const TEXTS[] = { "", "\n\n", "   0: zz", "   0: 0019:0019",
                                             "   0: 0000:0019 0:0 0A 0:0 0:0 0 0 0 7 1\n" };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++)
                for (int six = 0; six < 2; six++)
                        assert_int_equal(
                                stack_ports_find(TEXTS[i], six, &(struct stack_port){ "", 25 }), 0);
}

/* A real one, of this process. */
static void a_listener_of_ours(void **unused)
{
        CLEANUP(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in in = { .sin_family = AF_INET };
        struct stack_port p = { "127.0.0.1", 0 };
        socklen_t len = sizeof in;
        char who[64], want[64];

        (void)unused;
        in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
        p.port = ntohs(in.sin_port);
        assert_int_equal(stack_ports_taken(&p, who, sizeof who), 0); /* bound, no listener yet */
        assert_int_equal(listen(fd, 1), 0);
        assert_int_equal(stack_ports_taken(&p, who, sizeof who), 1);
        snprintf(want, sizeof want, "test_stack_port (%d)", (int)getpid());
        assert_string_equal(who, want);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_tables),
                cmocka_unit_test(what_is_no_table),
                cmocka_unit_test(a_listener_of_ours),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
