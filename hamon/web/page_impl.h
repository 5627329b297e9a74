/* The pieces of the page; each adds its own to `out`. */
#pragma once

#include "hamon/web/page_view.h"

#include "lib/html.h"

void page_icon(struct buf *out, const char *id); /* one of page_frame.c's */

void page_cluster(const struct page_view *v, struct buf *out);   /* page_cluster.c */
void page_failovers(const struct page_view *v, struct buf *out); /* page_failovers.c */
void page_latency(const struct page_view *v, struct buf *out);   /* page_latency.c */
void page_nodes(const struct page_view *v, struct buf *out);     /* page_lists.c */
void page_checks(const struct page_view *v, struct buf *out);
void page_parts(const struct page_view *v, struct buf *out); /* page_parts.c */
void page_events(const struct page_view *v, struct buf *out);

/* What a node's state is called: "master", "becomes master", "silent". */
const char *page_role(const struct page_node *n);
/* The node the volume, or the address, is known or said to be at; NULL = not known. `ret_sure`: it
 * is known, and does not merely follow from who leads. */
const struct page_node *page_volume_at(const struct page_view *v, bool *ret_sure);
const struct page_node *page_address_at(const struct page_view *v, bool *ret_sure);
