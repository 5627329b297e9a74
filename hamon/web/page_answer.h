/* The rows of ROUTES[] that are the page: "/", and the files it names. */
#pragma once

#include "hamon/web/routes.h"

void answer_page(const struct view *v, const struct route *row, struct reply *r);
void answer_page_file(const struct view *v, const struct route *row, struct reply *r);
