/* What both ends of the peer channel share: inside of peer*.c only. */
#pragma once

#include "hamon/peer.h"
#include "hamon/peer_wire.h"
#include "lib/address.h"
#include <sys/socket.h>

struct peer_client;
struct peer_question;

struct peer {
        struct loop *loop;
        peer_fn fn;
        void *arg;
        char *secrets[2]; /* the second one may be NULL */
        msec_t patience;

        struct {
                char name[PEER_NAME];
                union address address;
                unsigned secret; /* the one it believed last */
        } nodes[PEER_NODES];
        size_t n_nodes, me;

        struct evconnlistener *listener;
        struct timer rest; /* the listener is off until then: no descriptors left */
        struct peer_client *clients;
        unsigned n_clients, n_strangers;

        struct peer_question *questions;
        unsigned n_questions;
};

int peer_serve_start(struct peer *p, const char *address, unsigned port);
void peer_serve_stop(struct peer *p);
void peer_ask_stop(struct peer *p);
