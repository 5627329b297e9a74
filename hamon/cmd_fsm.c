/* hamon fsm: the state machine's table as it is executed, as text or for Graphviz. */
#include "hamon/commands.h"
#include "hamon/core/fsm.h"
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static void print_text(void)
{
        for (int s = 0; s < ST_COUNT_; s++)
                for (int e = 0; e < EV_COUNT_; e++) {
                        const struct fsm_cell *c = &FSM[s][e];
                        printf("%-11s %-15s %-11s %-7s %s\n", HA_STATES[s], HA_EVENTS[e],
                               HA_STATES[c->next], HA_ACTS[c->act], c->comment);
                }
}

/* One arrow for all events that lead from one state to another. */
static void print_arrow(int from, int to)
{
        const char *before = "";

        for (int e = 0; e < EV_COUNT_; e++) {
                if (FSM[from][e].next != (enum ha_state)to)
                        continue;
                if (!*before)
                        printf("\t%s -> %s [label=\"", HA_STATES[from], HA_STATES[to]);
                printf("%s%s", before, HA_EVENTS[e]);
                before = "\\n";
        }
        if (*before)
                puts("\"];");
}

static void print_dot(void)
{
        puts("digraph hamon {\n\tnode [shape=box, style=rounded];");
        for (int from = 0; from < ST_COUNT_; from++)
                for (int to = 0; to < ST_COUNT_; to++)
                        if (from != to)
                                print_arrow(from, to);
        puts("}");
}

int cmd_fsm(const struct cli *c)
{
        if (c->argc > 1 || (c->argc == 1 && strcmp(c->argv[0], "--dot") != 0))
                return usage_error("fsm", "unexpected argument", c->argv[c->argc - 1]);
        if (c->argc == 1)
                print_dot();
        else
                print_text();
        return EX_OK;
}
