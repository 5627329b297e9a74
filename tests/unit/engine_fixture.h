/* The double of Docker's engine in a test, and one question to it. */
#pragma once

#include "harness.h"

#include "tests/fake/fake_docker.h"

static struct fake_docker fake = { .control = -1 };

/* What it answers, without the "ok " it must begin with. */
static inline const char *say(const char *command)
{
        assert_true(fake_docker_say(&fake, command));
        EVENTUALLY(fake_docker_answered(&fake));
        if (strncmp(fake.reply, "ok", 2) != 0)
                fail_msg("%s: %s", command, fake.reply);
        return fake.reply + 3;
}
