/* What has to stop writing when this node loses the lease: plain data that the guard keeps, the
 * daemon fills in and the fence acts on. */
#pragma once

enum { TARGET_IDS = 64, TARGET_ID_SIZE = 65, TARGET_PATH = 256 };

struct fence_target {
        char device[TARGET_PATH]; /* of the volume; "" = there is none */
        unsigned long long dev;   /* its dev_t, for when its name has gone; 0 = not known */
        unsigned long long seq;   /* its diskseq: another disk may get that number; 0 = not known */
        char mount[TARGET_PATH];  /* where it is mounted; "" = nowhere */
        unsigned n;
        char id[TARGET_IDS][TARGET_ID_SIZE]; /* full ids of containers, 64 hex digits */
};
