/* `hamon check --direct`: look for ourselves, once, without a daemon. */
#pragma once

/* Prints the line of `hamon check`; returns 0 fit, 1 unfit, 2 cannot tell, 78 configuration. Ends
 * within check.timeout. One look has no history: rise, fall and grace do not apply. */
int direct_check(const char *file);
