/* What the Docker engine says to the stack adapter: lists, inspections, messages, the label of the
 * dependencies. Then an order is made of the list, which must come to an end whoever needs whom. */
#include "hamon/stack_json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void classify(void *arg, const char *service, struct stack_service *ret)
{
        (void)arg;
        *ret = (struct stack_service){ .set = service[0] == 'w' ? SET_WARM : SET_ACTIVE,
                                       .first = service[0] == 'p',
                                       .rival = service[0] == 'x',
                                       .needs = "redis" };
}

static void run_through(struct stack_plan *p, enum stack_goal goal)
{
        size_t turns = 0;

        stack_plan_aim(p, goal, SET_ACTIVE, PART_ALL, NULL);
        while (!stack_plan_over(p)) {
                ssize_t i = stack_plan_next(p);
                if (i < 0 || (size_t)i >= p->n || ++turns > p->n)
                        abort(); /* nobody is busy, so somebody must be next, and once only */
                p->v[i].turn = TURN_OVER;
        }
}

static void check(const struct stack_plan *p)
{
        for (size_t i = 0; i < p->n; i++) {
                const struct stack_member *m = &p->v[i];
                if (m->state >= CTR_STATE_COUNT_ || m->exit_code < 0 || !*m->service ||
                    strspn(m->id, "0123456789abcdef") != strlen(m->id) || !*m->id)
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct stack_plan p;
        struct stack_member m = { .pid = 0 };
        char text[64], needs[STACK_NEEDS_SIZE];
        char *s = malloc(size + 1);

        if (!s)
                return 0;
        memcpy(s, data, size);
        s[size] = '\0';
        if (stack_json_list(s, size, "mailcow", classify, NULL, &p) == 0) {
                check(&p);
                run_through(&p, STACK_START);
                run_through(&p, STACK_STOP);
        }
        if (stack_json_detail(s, size, &m) == 0 &&
            (m.state >= CTR_STATE_COUNT_ || m.health >= HEALTH_COUNT_ || m.pid < 0))
                abort();
        stack_json_message(s, size, text, sizeof text);
        stack_plan_parse_needs(s, needs);
        if (strlen(needs) >= sizeof needs || strpbrk(needs, ":,"))
                abort();
        free(s);
        return 0;
}
