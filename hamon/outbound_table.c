/* Is our table in nftables? One question to the kernel, which answers before it returns: unlike
 * nft(8) it can be asked from the loop. */
#include "hamon/outbound.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NAME_SIZE = (sizeof OUTBOUND_TABLE + 3) & ~3U }; /* attributes begin at multiples of 4 */

struct question {
        struct nlmsghdr head;
        struct nfgenmsg body;
        struct nlattr attribute;
        char name[NAME_SIZE];
};

static int answer_of(int fd)
{
        union {
                struct nlmsghdr head;
                char bytes[4096];
        } a;
        ssize_t n = recv(fd, &a, sizeof a, MSG_DONTWAIT);

        if (n < 0)
                return -errno;
        if ((size_t)n < sizeof a.head)
                return -EBADMSG;
        if (a.head.nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE))
                return 1;
        if (a.head.nlmsg_type != NLMSG_ERROR || (size_t)n < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
                return -EBADMSG;
        int error = ((const struct nlmsgerr *)NLMSG_DATA(&a.head))->error;
        return error == -ENOENT ? 0 : error < 0 ? error : -EBADMSG;
}

int outbound_table(int family)
{
        const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        struct question q = {
                .head = { .nlmsg_len = sizeof q,
                          .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE,
                          .nlmsg_flags = NLM_F_REQUEST },
                .body = { .nfgen_family =
                                  (unsigned char)family, /* NFPROTO_IPV4 is AF_INET, _IPV6 too */
                          .version = NFNETLINK_V0 },
                .attribute = { .nla_len = sizeof(struct nlattr) + sizeof OUTBOUND_TABLE,
                               .nla_type = NFTA_TABLE_NAME },
                .name = OUTBOUND_TABLE,
        };
        CLEANUP(closep)
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);

        if (fd < 0 ||
            sendto(fd, &q, sizeof q, 0, (const struct sockaddr *)&kernel, sizeof kernel) < 0)
                return -errno;
        return answer_of(fd);
}
