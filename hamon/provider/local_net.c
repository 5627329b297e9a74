/* Netlink for the address, a packet socket for ARP, a raw one for neighbour discovery. arping would
 * be easier to start, but its variants disagree about the sender address it must name. */
#include "hamon/provider/local_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t size_of(const struct local_address *a)
{
        return a->family == AF_INET ? 4 : 16;
}

int local_net_parse(const char *s, struct local_address *ret)
{
        struct local_address a = { .family = AF_INET };
        uint64_t prefix;

        if (!s || !str_copy(a.text, sizeof a.text, s))
                return -EINVAL;
        char *slash = strchr(a.text, '/');
        if (slash)
                *slash++ = '\0';
        if (inet_pton(AF_INET, a.text, a.bytes) != 1) {
                a.family = AF_INET6;
                if (inet_pton(AF_INET6, a.text, a.bytes) != 1)
                        return -EINVAL;
        }
        a.prefix = (unsigned)size_of(&a) * 8;
        if (slash) {
                if (parse_uint(slash, 1, a.prefix, &prefix) < 0)
                        return -EINVAL;
                a.prefix = (unsigned)prefix;
        }
        *ret = a;
        return 0;
}

static bool same_address(const struct sockaddr *sa, const struct local_address *a)
{
        struct sockaddr_in in;
        struct sockaddr_in6 in6;

        if (!sa || sa->sa_family != a->family)
                return false;
        if (a->family == AF_INET) {
                memcpy(&in, sa, sizeof in);
                return memcmp(&in.sin_addr, a->bytes, 4) == 0;
        }
        memcpy(&in6, sa, sizeof in6);
        return memcmp(&in6.sin6_addr, a->bytes, 16) == 0;
}

int local_net_has(const struct local_address *a, const char *interface)
{
        struct ifaddrs *list;
        int found = 0;

        if (if_nametoindex(interface) == 0)
                return -ENODEV;
        if (getifaddrs(&list) < 0)
                return -errno;
        for (const struct ifaddrs *i = list; i; i = i->ifa_next)
                found |= strcmp(i->ifa_name, interface) == 0 && same_address(i->ifa_addr, a);
        freeifaddrs(list);
        return found;
}

/* ---- netlink ---- */

struct address_request {
        struct nlmsghdr head;
        struct ifaddrmsg body;
        char attributes[96];
};

static void add_attribute(struct address_request *q, unsigned short type,
                          const struct local_address *a)
{
        struct rtattr rta = { .rta_type = type, .rta_len = (unsigned short)RTA_LENGTH(size_of(a)) };
        char *at = (char *)q + NLMSG_ALIGN(q->head.nlmsg_len);

        memcpy(at, &rta, sizeof rta);
        memcpy(at + RTA_LENGTH(0), a->bytes, size_of(a));
        q->head.nlmsg_len = NLMSG_ALIGN(q->head.nlmsg_len) + RTA_ALIGN(rta.rta_len);
}

/* An IPv6 address that stays, and that this node does not choose for connections of its own: they
 * would die when it moves on. */
static void add_deprecated(struct address_request *q)
{
        const struct ifa_cacheinfo info = { .ifa_valid = UINT32_MAX }; /* ifa_prefered: 0 s */
        struct rtattr rta = { .rta_type = IFA_CACHEINFO, .rta_len = RTA_LENGTH(sizeof info) };
        char *at = (char *)q + NLMSG_ALIGN(q->head.nlmsg_len);

        memcpy(at, &rta, sizeof rta);
        memcpy(at + RTA_LENGTH(0), &info, sizeof info);
        q->head.nlmsg_len = NLMSG_ALIGN(q->head.nlmsg_len) + RTA_ALIGN(rta.rta_len);
}

/* The kernel answers at once; the time limit is for the day it does not. */
static int ask_kernel(const struct address_request *q)
{
        CLEANUP(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        const struct timeval limit = { .tv_sec = 1 };
        struct {
                struct nlmsghdr head;
                struct nlmsgerr error;
                char rest[256];
        } answer;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
            send(fd, q, q->head.nlmsg_len, 0) < 0)
                return -errno;
        ssize_t n = recv(fd, &answer, sizeof answer, 0);
        if (n < 0)
                return -errno;
        if ((size_t)n < sizeof answer.head + sizeof answer.error ||
            answer.head.nlmsg_type != NLMSG_ERROR)
                return -EBADMSG;
        return answer.error.error; /* 0 or negative errno */
}

static int change(const struct local_address *a, const char *interface, unsigned short type,
                  unsigned short flags)
{
        struct address_request q = {
                .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)),
                          .nlmsg_type = type,
                          .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags) },
                .body = { .ifa_family = (unsigned char)a->family,
                          .ifa_prefixlen = (unsigned char)a->prefix,
                          .ifa_flags = a->family == AF_INET6 ? IFA_F_NODAD : 0,
                          .ifa_index = if_nametoindex(interface) },
        };

        if (q.body.ifa_index == 0)
                return -ENODEV;
        add_attribute(&q, IFA_LOCAL, a);
        add_attribute(&q, IFA_ADDRESS, a);
        if (type == RTM_NEWADDR && a->family == AF_INET6)
                add_deprecated(&q);
        return ask_kernel(&q);
}

int local_net_add(const struct local_address *a, const char *interface)
{
        int r = change(a, interface, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);

        return r == -EEXIST ? 0 : r;
}

int local_net_del(const struct local_address *a, const char *interface)
{
        int r = change(a, interface, RTM_DELADDR, 0);

        return r == -EADDRNOTAVAIL ? 0 : r;
}

/* ---- announcements ---- */

/* 1 and its hardware address, 0 if it has none that ARP knows. */
static int hardware(int fd, const char *interface, unsigned char mac[ETH_ALEN])
{
        struct ifreq ifr = { .ifr_ifindex = 0 };

        str_copy(ifr.ifr_name, sizeof ifr.ifr_name, interface);
        if (ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
                return -errno;
        if (ifr.ifr_hwaddr.sa_family != ARPHRD_ETHER)
                return 0;
        memcpy(mac, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
        return 1;
}

static int announce4(const struct local_address *a, const char *interface)
{
        CLEANUP(closep) int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        unsigned char mac[ETH_ALEN];
        struct sockaddr_ll to = { .sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ARP),
                                  .sll_ifindex = (int)if_nametoindex(interface),
                                  .sll_halen = ETH_ALEN };
        struct ether_arp arp = { .ea_hdr = { .ar_hrd = htons(ARPHRD_ETHER),
                                             .ar_pro = htons(ETH_P_IP),
                                             .ar_hln = ETH_ALEN,
                                             .ar_pln = 4,
                                             .ar_op = htons(ARPOP_REQUEST) } };

        if (fd < 0)
                return -errno;
        int r = hardware(fd, interface, mac);
        if (r <= 0)
                return r;
        memset(to.sll_addr, 0xff, ETH_ALEN);
        memcpy(arp.arp_sha, mac, ETH_ALEN); /* sender and target: the address itself */
        memcpy(arp.arp_spa, a->bytes, 4);
        memcpy(arp.arp_tpa, a->bytes, 4);
        return sendto(fd, &arp, sizeof arp, 0, (struct sockaddr *)&to, sizeof to) < 0 ? -errno : 0;
}

static int announce6(const struct local_address *a, const char *interface)
{
        CLEANUP(closep) int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
        const int hops = 255, index = (int)if_nametoindex(interface);
        struct sockaddr_in6 from = { .sin6_family = AF_INET6 };
        struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_scope_id = (uint32_t)index };
        unsigned char mac[ETH_ALEN];
        struct {
                struct nd_neighbor_advert na;
                struct nd_opt_hdr opt;
                unsigned char mac[ETH_ALEN];
        } m = { .na = { .nd_na_hdr = { .icmp6_type = ND_NEIGHBOR_ADVERT } },
                .opt = { .nd_opt_type = ND_OPT_TARGET_LINKADDR, .nd_opt_len = 1 } };

        if (fd < 0)
                return -errno;
        int r = hardware(fd, interface, mac);
        if (r <= 0)
                return r;
        m.na.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
        memcpy(&m.na.nd_na_target, a->bytes, 16);
        memcpy(m.mac, mac, ETH_ALEN);
        memcpy(&from.sin6_addr, a->bytes, 16);
        inet_pton(AF_INET6, "ff02::1", &to.sin6_addr);
        if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops) < 0 ||
            setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) < 0 ||
            bind(fd, (struct sockaddr *)&from, sizeof from) < 0 ||
            sendto(fd, &m, sizeof m, 0, (struct sockaddr *)&to, sizeof to) < 0)
                return -errno;
        return 0;
}

int local_net_announce(const struct local_address *a, const char *interface)
{
        return a->family == AF_INET ? announce4(a, interface) : announce6(a, interface);
}
