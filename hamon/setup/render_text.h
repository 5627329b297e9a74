/* The templates as text, by enum render_what; made by cmake/render.cmake. */
#pragma once

#include "hamon/setup/render.h"

extern const char *const RENDER_TEXT[RENDER_COUNT_];
