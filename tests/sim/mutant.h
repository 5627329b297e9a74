/* The rules of the design that the simulator can break, one at a time: each must be found by some
 * seed, or the simulator proves nothing. */
#pragma once

enum mutant {
        MUTANT_NONE,
        /* lease */
        MUTANT_NO_WAIT,
        MUTANT_VALID_FROM_END,
        MUTANT_UNKNOWN_IS_WON,
        MUTANT_NO_BEAT,
        MUTANT_TWINS,
        MUTANT_HELD_IS_VALID,
        MUTANT_NO_MARGIN,
        MUTANT_OWN_MEMBER,
        MUTANT_SAME_EPOCH,
        MUTANT_KEEP_UNCLAIMED,
        MUTANT_EARLY_RELEASE,
        /* skip the wait */
        MUTANT_SKIP_VRRP,
        MUTANT_SKIP_VIEW,
        MUTANT_SKIP_PEER,
        MUTANT_SKIP_FENCE,
        /* volume and steps */
        MUTANT_NO_FILE_CHECK,
        MUTANT_NO_MIN_EPOCH,
        MUTANT_NO_PERMIT,
        MUTANT_NO_FRESH,
        MUTANT_NO_GAP,
        MUTANT_NO_QUIET,
        MUTANT_IGNORE_BUSY,
        MUTANT_FENCE_LAST,
        /* stopping */
        MUTANT_NO_FENCE,
        MUTANT_GUARD_LATE,
        MUTANT_TWO_HOOKS,
        /* judgement */
        MUTANT_ADOPT_ANYTHING,
        MUTANT_NO_ASSERT,
        MUTANT_UNKNOWN_LEADS,
        MUTANT_JUMP,
        MUTANT_NO_BREAKER,
        MUTANT_HALTED_DEAD,
        MUTANT_HINT_ONLY,
        MUTANT_NO_WAY_BACK,
        MUTANT_NEVER_GIVE_UP,
        MUTANT_NO_ASK,
        MUTANT_COUNT_
};

struct mutant_row {
        const char *name, *what; /* what the broken rule does instead */
};

extern const struct mutant_row MUTANTS[MUTANT_COUNT_];
